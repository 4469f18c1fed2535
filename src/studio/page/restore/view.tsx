/** Restore: a model, pictures, one button, and what it found. */
import { useCallback, useState } from 'preact/hooks';
import { METHOD_NAMES } from '../../../inversion/spec/method.ts';
import type { Choice } from '../models/choice.ts';
import { type Library, sourceOfFiles, titleOf } from '../models/library.ts';
import { useFirstChosen } from '../models/offered.ts';
import { ModelPicker } from '../models/picker.tsx';
import { Failure } from '../parts/failure.tsx';
import { isModelName } from '../pictures/read.ts';
import { ServerSwitch } from '../server/switch.tsx';
import { useStore } from '../store.ts';
import { texts } from '../texts.ts';
import type { Restorer } from './controller.ts';
import { Filmstrip } from './filmstrip.tsx';
import { ReadyView } from './ready.tsx';
import { ResultView } from './result.tsx';
import { RunningView } from './running.tsx';
import { Settings } from './settings.tsx';
import { AddPictures } from './start.tsx';

interface RestoreViewProps {
  readonly library: Library;
  readonly choice: Choice;
  readonly restorer: Restorer;
}

export function RestoreView({ library, choice, restorer }: RestoreViewProps) {
  const state = useStore(restorer.state);
  const { source, model } = useStore(choice.state);
  const { server } = library;
  const { isOn, host } = useStore(server.state);
  const [isChoosing, setChoosing] = useState(false);
  useFirstChosen(library, choice, isOn);
  const add = useCallback(
    async (files: readonly File[]) => {
      const models = files.filter(({ name }) => isModelName(name));
      if (models.length > 0) {
        const source = await sourceOfFiles(models);
        // Together: between the two, the first model would be chosen.
        server.switchTo(false);
        await choice.choose(source);
      }
      const pictures = files.filter(({ name }) => !isModelName(name));
      if (pictures.length > 0) await restorer.add(pictures);
    },
    [choice, restorer, server],
  );
  const item = state.items.find(({ id }) => id === state.selected);
  const failures = state.failures.map((sentence) => (
    <Failure
      key={sentence}
      sentence={sentence}
      dismissLabel={texts.dismiss}
      onDismiss={() => restorer.state.patch({ failures: state.failures.filter((each) => each !== sentence) })}
    />
  ));

  if (!item) {
    return (
      <div class="view">
        <header class="intro">
          <h1>{texts.restore.title}</h1>
          <p>{texts.restore.intro}</p>
        </header>
        <h2>{texts.restore.step1}</h2>
        <ServerSwitch server={server} />
        <ModelPicker library={library} choice={choice} label={texts.restore.step1} onServer={isOn} />
        <h2>{texts.restore.step2}</h2>
        {failures}
        <AddPictures sentTo={isOn ? host : undefined} source={source} restorer={restorer} onFiles={add} />
      </div>
    );
  }
  return (
    <div class="view">
      <h1 class="hidden">{texts.restore.title}</h1>
      <div class="row bar">
        <p class="bar-model">
          {texts.restore.with(source ? titleOf(source) : '')}{' '}
          <button type="button" class="link" aria-expanded={isChoosing} onClick={() => setChoosing(!isChoosing)}>
            {texts.restore.changeModel}
          </button>
        </p>
        <Settings methods={model?.served?.methods ?? METHOD_NAMES} restorer={restorer} />
      </div>
      {isChoosing && <ServerSwitch server={server} />}
      {isChoosing && <ModelPicker library={library} choice={choice} label={texts.restore.step1} onServer={isOn} />}
      {!isChoosing && <ChoiceFailure choice={choice} />}
      {failures}
      {item.phase === 'running' && model ? (
        <RunningView key={item.id} item={item} canPause={!model.served} restorer={restorer} />
      ) : item.result && model ? (
        <ResultView key={item.id} item={item} result={item.result} model={model} source={source} restorer={restorer} />
      ) : (
        <ReadyView key={item.id} item={item} isOpen={model !== undefined} restorer={restorer} />
      )}
      <Filmstrip items={state.items} selected={state.selected} restorer={restorer} onFiles={add} />
    </div>
  );
}

function ChoiceFailure({ choice }: { readonly choice: Choice }) {
  const { failure } = useStore(choice.state);
  return <Failure sentence={failure} />;
}
