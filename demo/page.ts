/** The demo's page, one file: large pictures first, then every picture with what was found, then the curves. */
import { type Chart, lineChart } from '../src/pages/chart.ts';
import { chartGrid, command } from '../src/pages/components.ts';
import { type Html, html } from '../src/pages/html.ts';
import { pageOf, type Section } from '../src/pages/shell.ts';
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

export function demoPage(data: DemoData): Promise<string> {
  const { sets, search, inspection, machine } = data;
  return pageOf({
    title: 'rgi: pictures restored, defects found',
    kind: 'demo',
    head: band(data),
    sections: [
      ...sets.map(setSection),
      ...(search ? [searchSection(search)] : []),
      ...(inspection ? [inspectionSection(inspection)] : []),
      curves(sets),
      own(),
    ],
    footer: html`<p>Made by <code>npm run demo</code> on ${machine}. The seeds are fixed: another run gives the same pictures.</p>
${sets.map(({ title, credit }) => html`<p>${title}: ${credit}</p>`)}${inspection && html`<p>Product pictures: ${inspection.credit}</p>`}`,
    style: DEMO_STYLE,
  });
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
  return html`<div class="stage"><div class="inner">
<h1>Pictures restored, without a mask.</h1>
<p class="lead">A generator makes good pictures. rgi searches for the one that explains most of the given picture. What it cannot explain is corrupted: that is the mask, and nobody had to draw it.</p>
<ul class="heroes">${heroes}</ul>
<dl class="numbers">
<div><dt>median PSNR of the ${figures.pictures} pictures, as given and restored</dt><dd>${decibels(figures.before)} → ${decibels(figures.restored)} dB</dd></div>
<div><dt>median overlap (IoU) of the masks found with the true ones</dt><dd>${figures.iou.toFixed(2)}</dd></div>
${inspection && html`<div><dt>drawn defects marked, pixel AUROC ${inspection.pixelAuroc.toFixed(3)}; ${inspection.passed} of ${inspection.good} good pictures passed</dt><dd>${inspection.marked} of ${inspection.defects}</dd></div>`}
<div><dt>for everything on this page, ${figures.secondsPerPicture.toFixed(1)} s per restored picture</dt><dd>${figures.seconds.toFixed(0)} s</dd></div>
</dl>
</div></div>`;
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

function setSection({ name, title, items }: RestoredSet, i: number): Section {
  const intro =
    i === 0
      ? html`<p class="intro">Each picture is corrupted in another way. The method is always the same, with no setting and no mask. Restored is what the generator makes, G(z). Below: the mask that was found (white), the given picture with only that region filled in, and the true picture, which the method never saw.</p>`
      : undefined;
  return { id: name, title, content: html`${intro}<ul class="pieces">${items.map(piece)}</ul>` };
}

function piece({ title, pictures, psnr, iou }: RestoredView): Html {
  return html`<li class="card piece"><h3>${title}</h3>
<div class="pair">${figure(pictures.input, 'given', `${title}: the picture as it was given`)}${figure(pictures.restored, 'restored', `${title}: the picture as the generator makes it`)}</div>
<div class="trio">${maskFigure(pictures.mask, 'mask found', `${title}: the mask that was found, in white`)}${figure(pictures.composite, 'filled in', `${title}: the given picture with only the found region filled`)}${figure(pictures.truth, 'truth', `${title}: the true picture`)}</div>
<p class="numbersline"><span>${decibels(psnr.before)} → <b>${decibels(psnr.restored)} dB</b></span><span>mask IoU <b>${iou.toFixed(2)}</b></span></p></li>
`;
}

function searchSection({ title, input, frames }: SearchView): Section {
  const content = html`<p class="intro">${title}: above what the generator makes at that step, below the mask at that step.</p>
<ol class="film" tabindex="0" aria-label="Steps of one search">
<li><img src="${input}" alt="The picture as it was given"><span>given</span></li>
${frames.map(({ step, restored, mask }) => html`<li><img src="${restored}" alt="G(z) after step ${step}"><img class="pixels" src="${mask}" alt="The mask after step ${step}"><span>step ${step}</span></li>`)}
</ol>`;
  return { id: 'search', title: 'How the search goes', short: 'Search', content };
}

function curves(sets: readonly RestoredSet[]): Section {
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
      title: `${title}: masked share`,
      xLabel: 'step',
      yLabel: 'mean of the mask',
      series: items.map(({ case: label, history }, style) => ({
        label,
        style,
        points: history.step.map((step, k) => [step, history.masked[k]] as const),
      })),
    },
  ]);
  const content = html`<p class="intro">The threshold of the mask is lowered during the search. At the end the mask is held fixed and no longer counts in the loss, hence the step. The masked share should end at the share that is corrupted.</p>
${chartGrid(charts.map(lineChart))}`;
  return { id: 'curves', title: 'Curves of the searches', short: 'Curves', content };
}

function own(): Section {
  return {
    id: 'own',
    title: 'With your own pictures',
    short: 'Your pictures',
    content: html`<p class="intro">Train a generator on good pictures only, then restore with it; any generator in ONNX will do.</p>
${command('npx rgi train good/ --out part.onnx --size 64\nnpx rgi restore broken.png --generator part.onnx --out restored')}`,
  };
}
