/** What can be taken away from an inspection: the list, a page, the detector. */
import { useState } from 'preact/hooks';
import type { Engine, OpenedModel } from '../../engine.ts';
import { sentenceOf } from '../failures.ts';
import { Failure } from '../parts/failure.tsx';
import { download } from '../pictures/write.ts';
import { texts } from '../texts.ts';
import { csvOf } from './csv.ts';
import type { InspectItem } from './items.ts';

interface DownloadsProps {
  readonly items: readonly InspectItem[];
  readonly limit: number | undefined;
  readonly model: OpenedModel;
  readonly engine: Engine;
}

export function Downloads({ items, limit, model, engine }: DownloadsProps) {
  const [failure, setFailure] = useState('');
  const [isBusy, setBusy] = useState(false);
  const trying = (act: () => Promise<void> | void) => async () => {
    setBusy(true);
    setFailure('');
    try {
      await act();
    } catch (error) {
      setFailure(sentenceOf(error));
    } finally {
      setBusy(false);
    }
  };
  const saveReport = async () => {
    // The report's charts are a large part of the code, needed by few.
    const { reportOf } = await import('./report.ts');
    download('report.html', await reportOf(items, limit, model));
  };
  const saveDetector = async () => {
    const { name, bytes } = await engine.exportDetector(model.id, model.policies[0]);
    download(name, bytes);
  };
  return (
    <section class="save" aria-label={texts.save.title}>
      <p class="label">{texts.save.title}</p>
      <div class="row">
        <button
          type="button"
          class="small"
          disabled={isBusy}
          onClick={trying(() => download('scores.csv', csvOf(items, limit)))}
        >
          {texts.inspect.csv}
        </button>
        <button type="button" class="small" disabled={isBusy} onClick={trying(saveReport)}>
          {texts.inspect.report}
        </button>
        <button
          type="button"
          class="small"
          disabled={isBusy}
          title={texts.inspect.detectorHint}
          onClick={trying(saveDetector)}
        >
          {texts.inspect.detector}
        </button>
      </div>
      <Failure sentence={failure} />
    </section>
  );
}
