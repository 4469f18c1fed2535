/** The part of the page about defects: each product picture with the verdict, the anomaly map and the mask. */
import { type Html, html } from '../src/report/html.ts';
import { figure, maskFigure } from './parts.ts';
import type { InspectedView, InspectionView } from './views.ts';

export function inspectionSection({ items, scale, high, pixelThreshold, falseAlarms }: InspectionView): Html {
  return html`<section aria-labelledby="inspection"><h2 id="inspection">Defects found, knowing only good parts</h2>
<p class="intro">The generator has seen photographs of good spindles only. These are its own samples with a little camera noise, since the photographs may not be shipped; this program drew defects on some of them. What the generator cannot explain is odd, and marked where it is odder than ${pixelThreshold.toFixed(1)}; a picture is called defective from the limit on that ${(100 * falseAlarms).toFixed(0)} % of the good photographs exceed. Both were set on good photographs, before there was any defect.</p>
<p class="scale"><span>0</span><img src="${scale}" alt="Colours of the anomaly maps, from dark to bright"><span>${high.toFixed(1)} and more</span></p>
<ul class="pieces">${items.map(card)}</ul></section>
`;
}

const BADGES = {
  defective: html`<span class="verdict bad">\u2715 defective</span>`,
  marked: html`<span class="verdict unsure">! marked</span>`,
  good: html`<span class="verdict good">\u2713 good</span>`,
};

function card({ title, defect, marked, defective, score, threshold, pictures }: InspectedView): Html {
  const badge = BADGES[defective ? 'defective' : marked ? 'marked' : 'good'];
  const wrong = defect ? !marked && !defective && 'missed' : (marked || defective) && 'false alarm';
  return html`<li class="piece"><h3>${title}${badge}</h3>
<div class="pair">${figure(pictures.input, 'inspected', `${title}: the picture that is inspected`)}${figure(pictures.overlay, 'found', `${title}: the picture with what was found in red`)}</div>
<div class="trio">${figure(pictures.map, 'map', `${title}: the anomaly map, brighter is odder`)}${maskFigure(pictures.mask, 'mask', `${title}: the mask that was found, in white`)}${maskFigure(pictures.trueMask, 'truth', `${title}: where the defect was drawn, in white`)}</div>
<p class="numbersline"><span>score <b>${score.toFixed(1)}</b>, limit ${threshold.toFixed(1)}</span>${wrong && html`<span class="wrong">${wrong}</span>`}</p></li>
`;
}
