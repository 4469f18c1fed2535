/** The demo's page: one file, no script. Large pictures first, then every picture with what was found, then the curves. */
import { type Chart, lineChart } from '../src/report/chart.ts';
import { selfContained } from '../src/report/document.ts';
import { type Html, html } from '../src/report/html.ts';
import { decibels, type Figures } from './figures.ts';
import { inspectionSection } from './inspection-section.ts';
import { figure, maskFigure } from './parts.ts';
import { DEMO_STYLE } from './style.ts';
import type { InspectedView, InspectionView, RestoredView, SearchView } from './views.ts';

export interface RestoredSet {
  readonly name: string;
  readonly title: string;
  /** Whose pictures these are, and under which licence. */
  readonly credit: string;
  readonly items: readonly RestoredView[];
}

export interface DemoData {
  readonly sets: readonly RestoredSet[];
  readonly search?: SearchView;
  readonly inspection?: InspectionView;
  readonly figures: Figures;
  /** What it ran on, and with what. */
  readonly machine: string;
}

export async function demoPage(data: DemoData): Promise<string> {
  const body = html`<a class="skip" href="#main">To the results</a>
${band(data)}
<main id="main">
${data.sets.map(setSection)}
${data.search && searchSection(data.search)}
${data.inspection && inspectionSection(data.inspection)}
${curves(data.sets)}
${own()}
</main>
<footer><p>Made by <code>npm run demo</code> on ${data.machine}. The seeds are fixed: another run gives the same pictures.</p>
${data.sets.map(({ title, credit }) => html`<p>${title}: ${credit}</p>`)}${data.inspection && html`<p>Product pictures: ${data.inspection.credit}</p>`}</footer>`;
  return selfContained({ title: 'rgi: pictures restored, defects found', style: DEMO_STYLE, body });
}

/** Pictures of the top row; where defects were found the last of them is one, that which can be seen best right of the cut. */
const HEROES = 5;

function band({ sets, figures, inspection: inspected }: DemoData): Html {
  const { inspection } = figures;
  const off = ({ across }: InspectedView) => Math.abs(across - 0.6);
  const [found] = (inspected?.items ?? []).filter((one) => one.defect && one.marked).sort((a, b) => off(a) - off(b));
  const heroes = sets[0].items
    .slice(0, found ? HEROES - 1 : HEROES)
    .map(({ title, pictures }) => split(title, ['given', pictures.input], ['restored', pictures.restored]));
  if (found)
    heroes.push(split(found.title, ['inspected', found.pictures.input], ['found', found.pictures.overlay], 'early'));
  return html`<div class="stage"><header>
<p class="brand">rgi</p>
<h1>Restored, without being told what is broken.</h1>
<p class="lead">A generator knows what good pictures look like. rgi searches for the one that explains most of what it was given. What it cannot explain is broken: that is the mask, and nobody had to draw it.</p>
<ul class="heroes">${heroes}</ul>
<dl class="numbers">
<div><dt>median PSNR of the ${figures.pictures} pictures, as given and restored</dt><dd>${decibels(figures.before)} → ${decibels(figures.restored)} dB</dd></div>
<div><dt>median overlap (IoU) of the masks found with the true ones</dt><dd>${figures.iou.toFixed(2)}</dd></div>
${inspection && html`<div><dt>drawn defects marked, pixel AUROC ${inspection.pixelAuroc.toFixed(3)}; ${inspection.passed} of ${inspection.good} good pictures passed</dt><dd>${inspection.marked} of ${inspection.defects}</dd></div>`}
<div><dt>for everything on this page, ${figures.secondsPerPicture.toFixed(1)} s per restored picture</dt><dd>${figures.seconds.toFixed(0)} s</dd></div>
</dl>
</header></div>`;
}

/** A picture cut in two: before on the left, after on the right; all of it comes forward where it is pointed at. */
function split(
  title: string,
  [left, before]: readonly [string, string],
  [right, after]: readonly [string, string],
  cut: 'middle' | 'early' = 'middle',
): Html {
  return html`<li><div class="split ${cut}" tabindex="0" role="img" aria-label="${title}: on the left ${left}, on the right ${right}. All of it is below."><img src="${before}" alt=""><span class="seam"></span><img class="mended" src="${after}" alt=""></div><span aria-hidden="true"><span>${left}</span><span>${right}</span></span></li>`;
}

function setSection({ name, title, items }: RestoredSet, i: number): Html {
  const intro =
    i === 0
      ? html`<p class="intro">Each picture is broken in another way. The method is always the same, with no setting and no mask. Restored is what the generator makes, G(z). Below: the mask that was found (white), the given picture with only that region filled in, and the true picture, which was not shown to it.</p>`
      : undefined;
  return html`<section aria-labelledby="${name}"><h2 id="${name}">${title}</h2>${intro}
<ul class="pieces">${items.map(piece)}</ul></section>
`;
}

function piece({ title, pictures, psnr, iou }: RestoredView): Html {
  return html`<li class="piece"><h3>${title}</h3>
<div class="pair">${figure(pictures.input, 'given', `${title}: the picture as it was given`)}${figure(pictures.restored, 'restored', `${title}: the picture as the generator makes it`)}</div>
<div class="trio">${maskFigure(pictures.mask, 'mask found', `${title}: the mask that was found, in white`)}${figure(pictures.composite, 'filled in', `${title}: the given picture with only the found region filled`)}${figure(pictures.truth, 'truth', `${title}: the true picture`)}</div>
<p class="numbersline"><span>${decibels(psnr.before)} → <b>${decibels(psnr.restored)} dB</b></span><span>mask IoU <b>${iou.toFixed(2)}</b></span></p></li>
`;
}

function searchSection({ title, input, frames }: SearchView): Html {
  return html`<section aria-labelledby="search"><h2 id="search">How it gets there</h2>
<p class="intro">${title}: above what the generator makes at that step, below what counts as broken so far.</p>
<ol class="film" tabindex="0" aria-label="Steps of one search">
<li><img src="${input}" alt="The picture as it was given"><span>given</span></li>
${frames.map(({ step, restored, mask }) => html`<li><img src="${restored}" alt="G(z) after step ${step}"><img class="pixels" src="${mask}" alt="The mask after step ${step}"><span>step ${step}</span></li>`)}
</ol></section>
`;
}

function curves(sets: readonly RestoredSet[]): Html {
  const charts = sets.flatMap(({ title, items }): Chart[] => [
    {
      title: `${title}: loss`,
      xLabel: 'step',
      yLabel: 'loss, relative to its largest',
      scale: 'log',
      series: items.map(({ case: label, history }, style) => {
        const largest = Math.max(...history.loss.filter(Number.isFinite), 1e-30);
        return { label, style, points: history.step.map((step, k) => [step, history.loss[k] / largest] as const) };
      }),
    },
    {
      title: `${title}: share that counts as broken`,
      xLabel: 'step',
      yLabel: 'mean of the mask',
      series: items.map(({ case: label, history }, style) => ({
        label,
        style,
        points: history.step.map((step, k) => [step, history.masked[k]] as const),
      })),
    },
  ]);
  return html`<section aria-labelledby="curves"><h2 id="curves">Curves of the searches</h2>
<p class="intro">The threshold of the mask is lowered while the search goes on; at last the mask is held fixed and costs nothing any more, which is the step in the loss. At the end it should be as large as what is broken.</p>
<div class="charts">${charts.flatMap((chart) => lineChart(chart) ?? [])}</div></section>
`;
}

function own(): Html {
  return html`<section aria-labelledby="own"><h2 id="own">With your own pictures</h2>
<pre>npx rgi train good/ --out part.onnx --size 64                       # a generator, from good pictures only
npx rgi restore broken.png --generator part.onnx --out restored     # or any generator in ONNX</pre></section>`;
}
