/** The inspected pictures, the worst first, with the limit that divides them. */
import { useState } from 'preact/hooks';
import type { Engine, OpenedModel } from '../../engine.ts';
import { DropZone } from '../parts/drop-zone.tsx';
import { Meter } from '../parts/meter.tsx';
import { Segments } from '../parts/segments.tsx';
import { useStore } from '../store.ts';
import { texts } from '../texts.ts';
import type { Inspector } from './controller.ts';
import { Detail } from './detail.tsx';
import { Downloads } from './downloads.tsx';
import { Gallery } from './gallery.tsx';
import { byScore, countsOf, verdictOf } from './items.ts';
import { Limit } from './limit.tsx';

type Filter = 'all' | 'defective' | 'marked' | 'good';

interface ResultsProps {
  readonly inspector: Inspector;
  readonly model: OpenedModel;
  readonly engine: Engine;
}

export function Results({ inspector, model, engine }: ResultsProps) {
  const { items, limit, trained, selected } = useStore(inspector.state);
  const [filter, setFilter] = useState<Filter>('all');
  const counts = countsOf(items, limit);
  const shown = byScore(items).filter((item) => filter === 'all' || verdictOf(item, limit) === filter);
  const item = items.find(({ id }) => id === selected);
  const good = trained?.result.model.id === model.id ? (trained.result.good ?? []).map(({ score }) => score) : [];
  return (
    <div class="work controls-first">
      <div class="hero stretch">
        {item ? (
          <Detail key={item.id} item={item} limit={limit} inspector={inspector} />
        ) : (
          <>
            <Segments<Filter>
              label={texts.inspect.filter}
              name="filter"
              value={filter}
              options={[
                ['all', texts.inspect.filters.all(items.length)],
                ['defective', texts.inspect.filters.defective(counts.defective)],
                ['marked', texts.inspect.filters.marked(counts.marked)],
                ['good', texts.inspect.filters.good(counts.good)],
              ]}
              onChange={setFilter}
            />
            <Gallery items={shown} limit={limit} inspector={inspector} />
          </>
        )}
      </div>
      <aside class="aside" aria-label={texts.restore.asideLabel}>
        {counts.open > 0 ? (
          <Meter
            label={texts.inspect.inspecting(items.length - counts.open, items.length)}
            share={1 - counts.open / items.length}
          />
        ) : (
          <p role="status">{texts.inspect.summary(counts)}</p>
        )}
        <Limit items={items} good={good} limit={limit} inspector={inspector} />
        <Downloads items={items} limit={limit} model={model} engine={engine} />
        <details>
          <summary>{texts.inspect.more}</summary>
          <DropZone
            title={texts.inspect.drop}
            hint={texts.inspect.moreHint}
            choose={texts.inspect.choose}
            folder
            onFiles={inspector.inspect}
          />
        </details>
        <button type="button" class="link" onClick={inspector.clear}>
          {texts.inspect.clear}
        </button>
      </aside>
    </div>
  );
}
