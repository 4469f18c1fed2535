/** Scores of masks on recorded searches: the model of corruption beside the rules before it. */

import { coverage, imageAt, type Mask } from '../../src/images/image.ts';
import {
  type CorruptionOptions,
  type InferredCorruption,
  inferCorruption,
} from '../../src/inversion/mask/corruption/infer-corruption.ts';
import { confusion } from '../../src/metrics/overlap.ts';
import { median } from '../trials.ts';
import type { Recording } from './recording.ts';

/** Medians over the pictures of a case; `masked` is the mean share of masked pixels. */
export interface MaskScores {
  readonly iou: number;
  readonly precision: number;
  readonly recall: number;
  readonly masked: number;
}

function scoresOf(masks: readonly Mask[], truths: readonly Mask[]): MaskScores {
  const each = masks.map((mask, i) => {
    const { truePositives, falsePositives, falseNegatives } = confusion(truths[i].data, mask.data);
    const ratio = (a: number, b: number) => (b === 0 ? 1 : a / b);
    return {
      iou: ratio(truePositives, truePositives + falsePositives + falseNegatives),
      precision: ratio(truePositives, truePositives + falsePositives),
      recall: ratio(truePositives, truePositives + falseNegatives),
    };
  });
  return {
    iou: median(each.map(({ iou }) => iou)),
    precision: median(each.map(({ precision }) => precision)),
    recall: median(each.map(({ recall }) => recall)),
    masked: masks.reduce((sum, mask) => sum + coverage(mask.data), 0) / masks.length,
  };
}

/** A case's scores with one reconstruction: the search's own, or that of a search that was given the mask. */
export interface CaseScores {
  /** Of the rules before the model, where they were recorded. */
  readonly before?: MaskScores;
  readonly model: MaskScores;
  /** Milliseconds of the model for a picture. */
  readonly milliseconds: number;
  /** Share of the pictures that the model takes for none of the generator's kind. */
  readonly outOfDomain: number;
  readonly made: readonly InferredCorruption[];
}

/** Scores at most `most` pictures of a recording; the reconstruction is `found` or `given`. */
export function compare(
  recording: Recording,
  of: 'found' | 'given',
  options: Partial<CorruptionOptions>,
  most: number,
): CaseScores {
  const { x, truth, missing } = recording;
  const pictures = Array.from({ length: Math.min(most, x.dims[0]) }, (_, i) => i);
  const each = (batch: Mask) => pictures.map((i) => imageAt(batch, i));
  const started = performance.now();
  const made = pictures.map((i) => {
    const [picture, reconstruction] = [imageAt(x, i), imageAt(recording[of], i)];
    return inferCorruption({ picture, reconstruction, missing: imageAt(missing, i) }, options);
  });
  const milliseconds = (performance.now() - started) / made.length;
  const before = of === 'found' ? recording.before : recording.beforeGiven;
  const found = made.map(({ mask }) => mask);
  return {
    ...(before ? { before: scoresOf(each(before), each(truth)) } : {}),
    model: scoresOf(found, each(truth)),
    milliseconds,
    outOfDomain: made.filter(({ outOfDomain }) => outOfDomain).length / made.length,
    made,
  };
}
