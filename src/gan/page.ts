/** The page of a training run: samples, reconstructions of unseen pictures, curves, settings; one file without scripts. */
import { bestOf, type RunRecord } from './record.ts';

export interface PagePictures {
  /** PNG as data URLs. */
  readonly samples: string;
  readonly reconstructions: string;
}

interface Curve {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const COLOURS = ['#0b6e99', '#c2410c', '#4d7c0f', '#7c3aed'];

export function trainingPage(title: string, record: RunRecord, pictures: PagePictures, secondsLeft?: number): string {
  const { settings, data, losses, coverage, events } = record;
  const step = Math.max(0, ...losses.map((p) => p.step));
  const last = coverage.at(-1);
  const kept = bestOf(coverage);
  const curve = (label: string, name: keyof (typeof losses)[number]): Curve => ({
    label,
    points: losses.flatMap((p) => (p[name] === undefined ? [] : [[p.step, p[name]] as const])),
  });
  const decibels = (mse: number) => 10 * Math.log10(4 / Math.max(mse, 1e-12));
  const rebuilt = curve('training pictures (dB)', 'reconstruction');
  const quality: Curve[] = [
    { label: 'coverage, median (dB)', points: coverage.map((p) => [p.step, p.median]) },
    { label: 'coverage, worst (dB)', points: coverage.map((p) => [p.step, p.worst]) },
    { label: 'hidden centre (dB)', points: coverage.map((p) => [p.step, p.block]) },
    { ...rebuilt, points: rebuilt.points.map(([x, y]) => [x, decibels(y)]) },
  ];
  const critics = [curve('discriminator', 'discriminator'), curve('generator', 'adversarial')];
  const facts: [string, string][] = [
    ['Step', `${step} of ${settings.steps}${secondsLeft ? `, about ${duration(secondsLeft)} left` : ''}`],
    ['Time', duration(record.seconds)],
    ['Pictures', `${data.pictures} for training, ${data.held} held out${data.broken ? `, ${data.broken} broken` : ''}`],
    [
      'Coverage',
      last ? `${last.median.toFixed(1)} dB (median), ${last.worst.toFixed(1)} dB (worst)` : 'not yet measured',
    ],
    ['Hidden centre', last ? `${last.block.toFixed(1)} dB (median)` : 'not yet measured'],
    ['Models of step', kept ? `${kept.step}, the best mean of the two medians` : 'none yet'],
    ['Generator', `${settings.architecture}, ${data.channels} x ${data.size} x ${data.size}, z of ${settings.latent}`],
  ];
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1c1917;background:#fafaf9}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}img{max-width:100%;image-rendering:pixelated;border:1px solid #e7e5e4}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.5rem}dt{color:#78716c}dd{margin:0}
svg{width:100%;height:auto;background:#fff;border:1px solid #e7e5e4}pre{overflow:auto;background:#fff;padding:1rem;border:1px solid #e7e5e4}</style>
<h1>${escaped(title)}</h1>
<dl>${facts.map(([name, value]) => `<dt>${name}</dt><dd>${escaped(value)}</dd>`).join('')}</dl>
<h2>Samples</h2><p>The generator's pictures of random latents, always the same ones.</p><img alt="samples" src="${pictures.samples}">
<h2>Unseen pictures and what the generator reaches</h2><p>Upper rows: good pictures it was not trained on. Lower rows: its nearest, found by plain inversion. Coverage is the PSNR between the two; hidden centre is the same with the middle quarter of the upper picture not shown to the search.</p><img alt="reconstructions" src="${pictures.reconstructions}">
<h2>Quality</h2>${chart(quality, settings.steps)}
<h2>Adversarial losses</h2>${chart(critics, settings.steps)}
${events.length ? `<h2>Events</h2><ul>${events.map((e) => `<li>${escaped(e)}</li>`).join('')}</ul>` : ''}
<h2>Settings</h2><pre>${escaped(JSON.stringify(settings, null, 2))}</pre></html>
`;
}

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [960, 280, 56, 28, 28];

function chart(curves: readonly Curve[], steps: number): string {
  const shown = curves.filter((c) => c.points.length > 0);
  const values = shown.flatMap((c) => c.points.map(([, y]) => y)).filter(Number.isFinite);
  if (values.length === 0) return '<p>Nothing yet.</p>';
  const low = Math.min(...values);
  const high = Math.max(...values, low + 1e-6);
  const x = (step: number) => LEFT + ((WIDTH - LEFT - 8) * step) / steps;
  const y = (value: number) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - value)) / (high - low);
  const ticks = [0, 1, 2, 3, 4].map((i) => low + ((high - low) * i) / 4);
  const lines = ticks.map(
    (t) =>
      `<line x1="${LEFT}" x2="${WIDTH}" y1="${y(t).toFixed(1)}" y2="${y(t).toFixed(1)}" stroke="#e7e5e4"/><text x="${LEFT - 6}" y="${(y(t) + 4).toFixed(1)}" text-anchor="end">${Number(t.toPrecision(3))}</text>`,
  );
  const marks = [0, 0.25, 0.5, 0.75, 1].map(
    (f) =>
      `<text x="${x(f * steps).toFixed(1)}" y="${HEIGHT - 8}" text-anchor="middle">${Math.round(f * steps)}</text>`,
  );
  const paths = shown.map(({ label, points }, i) => {
    const path = points.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(' ');
    const colour = COLOURS[i % COLOURS.length];
    return `<polyline fill="none" stroke="${colour}" stroke-width="1.8" points="${path}"/><text x="${LEFT + 8 + i * 220}" y="16" fill="${colour}">${escaped(label)}</text>`;
  });
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" font-size="12" fill="#78716c">${[...lines, ...marks, ...paths].join('')}</svg>`;
}

/** "3 h 20 min", "45 s". */
export function duration(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
