/** The report's pictures: of each picture what was given and what each method made of it, and the trajectories of some searches. */
import { factsOf, type MetricName } from '../evaluate/metrics.ts';
import type { TrialPictures, TrialRecord } from '../evaluate/record.ts';
import { type Html, html } from '../pages/html.ts';
import { picture } from '../pages/picture.ts';

/** Data URLs by path; a path without one is left out of the page. */
export type Embedded = ReadonlyMap<string, string>;

/** One card per picture of a case, each method a row; undefined where no pictures were kept. */
export function gallery(trials: readonly TrialRecord[], metric: MetricName, embedded: Embedded): Html | undefined {
  const images = byImage(trials.filter((trial) => shown(trial, embedded)));
  if (images.size === 0) return undefined;
  const methods = [...new Set(trials.map((trial) => trial.method))];
  const label = trials[0].kind === 'detect' ? 'Score' : factsOf(metric).label;
  const sorts = methods.map((method, i) => ({ key: `m${i}`, name: `${label} of ${method}` }));
  return html`<ul class="cards" data-sorts="${JSON.stringify(sorts)}">${[...images].map(([image, group]) => {
    const scores = Object.fromEntries(
      group.map((trial) => [`m${methods.indexOf(trial.method)}`, trial.score ?? trial.metrics[metric] ?? null]),
    );
    return html`<li class="card" data-scores="${JSON.stringify(scores)}"><h4>${image}</h4>${given(group[0], embedded)}${group.map((trial) => methodRow(trial, embedded))}</li>
`;
  })}</ul>`;
}

function given({ pictures, image, kind }: TrialRecord, embedded: Embedded): Html {
  const { truth, input, trueMask } = pictures as TrialPictures;
  const mask = kind === 'detect' ? 'annotated' : 'corrupted';
  return html`<div class="row"><p><span class="name">given</span></p><div class="thumbs">${[
    ...(truth === undefined ? [] : [thumb(truth, 'clean', `${image}: the clean picture`, embedded)]),
    thumb(input, 'input', `${image}: what the methods were given`, embedded),
    thumb(trueMask, mask, `${image}: the true mask, white is ${mask}`, embedded),
  ]}</div></div>`;
}

function methodRow(
  { kind, pictures, image, method, maskGiven, metrics, score, code }: TrialRecord,
  embedded: Embedded,
): Html {
  const { restored, composite, mask, map } = pictures as TrialPictures;
  const parts = (['psnr', 'ssim', 'mask_iou'] as const).flatMap((name) => {
    const value = metrics[name];
    const { label, unit, digits } = factsOf(name);
    return typeof value === 'number' ? [`${label} ${value.toFixed(digits)}${unit ? ` ${unit}` : ''}`] : [];
  });
  const about = [
    ...parts,
    ...(score === undefined ? [] : [`score ${score.toPrecision(4)}`]),
    ...(code === 'diverged' ? ['diverged'] : []),
  ].join(', ');
  return html`<div class="row"><p><span class="name">${method}</span> <span class="soft">${about}</span></p><div class="thumbs">${[
    thumb(restored, 'restored', `${image} restored by ${method}: ${about}`, embedded),
    ...(composite === undefined
      ? []
      : [thumb(composite, 'composite', `${image}, the found region filled by ${method}`, embedded)]),
    thumb(
      mask,
      maskGiven ? 'given mask' : 'found mask',
      `${image}: the mask that ${method} ${maskGiven ? 'was given' : 'found'}, in white`,
      embedded,
    ),
    thumb(
      map,
      kind === 'detect' ? 'map' : 'residual',
      `${image}: ${kind === 'detect' ? 'anomaly map' : 'residual'} of ${method}, brighter is larger, one scale for all pictures`,
      embedded,
    ),
  ]}</div></div>`;
}

/** An empty place where there is no such picture, so that columns stay columns. */
export function thumb(file: string | undefined, caption: string, alt: string, embedded: Embedded): Html {
  const source = file === undefined ? undefined : embedded.get(file);
  if (source === undefined) return html`<span></span>`;
  return picture({ source, caption, alt });
}

/** Searches of which snapshots were kept: a picture at a time, the methods one below the other. */
export function trajectories(trials: readonly TrialRecord[], embedded: Embedded): Html | undefined {
  const images = byImage(
    trials.filter((trial) => trial.snapshots?.some((one) => embedded.has(one.restored) && embedded.has(one.mask))),
  );
  if (images.size === 0) return undefined;
  return html`${[...images].map(
    ([image, group]) => html`<div class="card trajectory"><h4>${image}</h4>${group.map(
      (trial) =>
        html`<div class="row"><p><span class="name">${trial.method}</span></p><ol class="frames">${trial
          .snapshots!.filter((one) => embedded.has(one.restored) && embedded.has(one.mask))
          .map(
            ({ step, restored, mask }) =>
              html`<li><div class="pair"><img src="${embedded.get(restored)}" alt="${image}, ${trial.method}: the restored picture after step ${step}"><img src="${embedded.get(mask)}" alt="${image}, ${trial.method}: the mask after step ${step}"></div><span>step ${step}</span></li>`,
          )}</ol></div>`,
    )}</div>
`,
  )}`;
}

function shown(trial: TrialRecord, embedded: Embedded): boolean {
  return trial.pictures !== undefined && Object.values(trial.pictures).some((file) => embedded.has(String(file)));
}

function byImage(trials: readonly TrialRecord[]): Map<string, TrialRecord[]> {
  const images = new Map<string, TrialRecord[]>();
  for (const trial of trials) images.set(trial.image, [...(images.get(trial.image) ?? []), trial]);
  return images;
}
