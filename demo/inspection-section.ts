/** The part of the page about defects: each product picture with the verdict, the anomaly map and the mask. */
import { type Html, html } from '../src/report/html.ts';
import { figure, maskFigure } from './parts.ts';
import type { InspectedView, InspectionView } from './views.ts';

export function inspectionSection({ items, scale }: InspectionView): Html {
  return html`<section aria-labelledby="inspection"><h2 id="inspection">Defects, found by who has only seen good parts</h2>
<p class="intro">The generator was trained on photographs of good spindles. These pictures are its own samples, with defects that this program drew on some of them (the photographs may not be shipped). The anomaly map has one scale for all pictures; the threshold was set on good photographs, before any defect was seen.</p>
<p class="scale"><span>as good</span><img src="${scale}" alt="Colour scale of the anomaly maps, from dark to bright"><span>twice the threshold and more</span></p>
<ul class="pieces">${items.map(card)}</ul></section>
`;
}

function card({ title, defect, verdict, score, threshold, pictures }: InspectedView): Html {
  const right = defect === (verdict === 'defective');
  const badge =
    verdict === 'good'
      ? html`<span class="verdict good">✓ good</span>`
      : html`<span class="verdict bad">✕ defective</span>`;
  return html`<li class="piece"><h3>${title}${badge}</h3>
<div class="pair">${figure(pictures.input, 'inspected', `${title}: the picture that is inspected`)}${figure(pictures.overlay, 'found', `${title}: the picture with what was found marked in red`)}</div>
<div class="trio">${figure(pictures.map, 'anomaly map', `${title}: the anomaly map, brighter is odder`)}${maskFigure(pictures.mask, 'mask found', `${title}: the mask that was found, in white`)}${maskFigure(pictures.trueMask, 'truth', `${title}: where the defect was drawn, in white`)}</div>
<p class="numbersline"><span>score <b>${score.toFixed(2)}</b>, threshold ${threshold.toFixed(2)}</span><span>${right ? 'right' : html`<b>wrong</b>`}</span></p></li>
`;
}
