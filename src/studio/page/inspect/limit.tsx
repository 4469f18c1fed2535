/** The limit on a histogram of good and inspected scores; the counts follow it. */
import { Slider } from '../parts/slider.tsx';
import { texts } from '../texts.ts';
import type { Inspector } from './controller.ts';
import { falseAlarms, histogramOf, type InspectItem } from './items.ts';

const BINS = 24;
/** Positions of the slider from the lowest to the highest score. */
const POSITIONS = 400;
const [WIDTH, HEIGHT] = [280, 90];

interface LimitProps {
  readonly items: readonly InspectItem[];
  readonly good: readonly number[];
  readonly limit: number | undefined;
  readonly inspector: Inspector;
}

export function Limit({ items, good, limit, inspector }: LimitProps) {
  const results = items.flatMap(({ result }) => (result ? [result] : []));
  if (results.length === 0) return null;
  const own = results[0].limit;
  const current = limit ?? own;
  const scores = results.map(({ score }) => score);
  const histogram = histogramOf(good, scores, own, BINS);
  const alarms = falseAlarms(good, current);
  const bar = (counts: readonly number[], kind: 'good' | 'inspected') =>
    counts.map((count, i) => {
      const height = (count / histogram.highest) * (HEIGHT - 4);
      const width = WIDTH / BINS / 2 - 1;
      const x = (i * WIDTH) / BINS + (kind === 'good' ? 0 : width + 1);
      return <rect key={i} class={kind} x={x} y={HEIGHT - height} width={width} height={height} />;
    });
  const at = histogram.positionOf(current) * WIDTH;
  return (
    <section class="limit" aria-label={texts.inspect.limit}>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={texts.inspect.histogramLabel(good.length, scores.length)}
      >
        {bar(histogram.good, 'good')}
        {bar(histogram.inspected, 'inspected')}
        <line x1={at} x2={at} y1={0} y2={HEIGHT} />
      </svg>
      <p class="hint">
        {good.length > 0 && <span class="key bar-good">{texts.inspect.keyGood}</span>}{' '}
        <span class="key bar-inspected">{texts.inspect.keyInspected}</span>
      </p>
      <Slider
        label={texts.inspect.limit}
        value={Math.round(histogram.positionOf(current) * POSITIONS)}
        min={0}
        max={POSITIONS}
        text={texts.inspect.score(current)}
        hint={alarms === undefined ? texts.inspect.limitHint : texts.inspect.alarms(alarms)}
        onInput={(position) => inspector.state.patch({ limit: histogram.scoreAt(position / POSITIONS) })}
      />
      {limit !== undefined && (
        <button type="button" class="link" onClick={() => inspector.state.patch({ limit: undefined })}>
          {texts.inspect.ownLimit}
        </button>
      )}
    </section>
  );
}
