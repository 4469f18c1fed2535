/** The part of the page about defects: each product picture with the verdict, the anomaly map and the mask. */
import { type Html, html } from '../src/pages/html.ts';
import type { Section } from '../src/pages/shell.ts';
import { figure, maskFigure } from './parts.ts';
import type { InspectedView, InspectionView } from './views.ts';

export function inspectionSection({ items, scale, high, pixelThreshold, falseAlarms }: InspectionView): Section {
  const content = html`<p class="intro">The generator has seen photographs of good spindles only. These are its own samples with a little camera noise, since the photographs may not be shipped; this program drew defects on some of them. The map scores how poorly the generator explains each pixel; pixels above ${pixelThreshold.toFixed(1)} are marked. A picture is called defective above a limit that ${(100 * falseAlarms).toFixed(0)} % of the good photographs exceed. Both were set on good photographs alone.</p>
<p class="scale"><span>0</span><img src="${scale}" alt="Colours of the anomaly maps, from dark to bright"><span>${high.toFixed(1)} and more</span></p>
<ul class="pieces">${items.map(card)}</ul>`;
  return { id: 'inspection', title: 'Defects found, from good parts only', short: 'Defects', content };
}

const BADGES = {
  defective: html`<span class="verdict bad">\u2715 defective</span>`,
  marked: html`<span class="verdict unsure">! marked</span>`,
  good: html`<span class="verdict good">\u2713 good</span>`,
};

function card({ title, defect, marked, defective, score, threshold, pictures }: InspectedView): Html {
  const badge = BADGES[defective ? 'defective' : marked ? 'marked' : 'good'];
  const wrong = defect ? !marked && !defective && 'missed' : (marked || defective) && 'false alarm';
  return html`<li class="card piece"><h3>${title}${badge}</h3>
<div class="pair">${figure(pictures.input, 'inspected', `${title}: the picture that is inspected`)}${figure(pictures.overlay, 'found', `${title}: the picture with what was found in red`)}</div>
<div class="trio">${figure(pictures.map, 'map', `${title}: the anomaly map, brighter is more anomalous`)}${maskFigure(pictures.mask, 'mask', `${title}: the mask that was found, in white`)}${maskFigure(pictures.trueMask, 'truth', `${title}: where the defect was drawn, in white`)}</div>
<p class="numbersline"><span>score <b>${score.toFixed(1)}</b>, limit ${threshold.toFixed(1)}</span>${wrong && html`<span class="wrong">${wrong}</span>`}</p></li>
`;
}
