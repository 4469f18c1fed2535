/** A line that grows while it is computed. */
import { useEffect, useRef } from 'preact/hooks';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

interface LineChartProps {
  readonly label: string;
  /** One value a step, the first of step 1. */
  readonly values: readonly number[];
  /** Steps of the whole search, so that the line grows towards the right edge. */
  readonly length: number;
}

const HEIGHT = 120;

export function LineChart({ label, values, length }: LineChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<UPlot | undefined>(undefined);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    chart.current = createChart(element);
    const observer = new ResizeObserver(([{ contentRect }]) =>
      chart.current?.setSize({ width: contentRect.width, height: HEIGHT }),
    );
    observer.observe(element);
    // Colours are drawn, so a change of the scheme needs a new drawing.
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    const recolour = () => chart.current?.redraw();
    scheme.addEventListener('change', recolour);
    return () => {
      observer.disconnect();
      scheme.removeEventListener('change', recolour);
      chart.current?.destroy();
    };
  }, []);
  useEffect(() => {
    const steps = values.map((_, i) => i + 1);
    chart.current?.setData([steps, [...values]], false);
    chart.current?.setScale('x', { min: 1, max: Math.max(2, length, values.length) });
  }, [values, length]);
  const last = values.at(-1);
  const text = last === undefined ? label : `${label}: ${last.toPrecision(3)}`;
  return <div ref={place} class="chart" role="img" aria-label={text} />;
}

function createChart(element: HTMLElement): UPlot {
  const colour = (name: string) => () => getComputedStyle(element).getPropertyValue(name);
  const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line') }, ticks: { show: false } };
  return new UPlot(
    {
      width: Math.max(100, element.clientWidth),
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false }, y: { distr: 3 } },
      axes: [
        { ...axis, size: 24, space: 60 },
        {
          ...axis,
          size: 56,
          space: 28,
          values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : String(tick))),
        },
      ],
      series: [{}, { stroke: colour('--accent'), width: 2, points: { show: false } }],
    },
    [[], []],
    element,
  );
}
