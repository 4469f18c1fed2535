/** Scores of masks on recorded searches: the model of corruption beside the rules before it. */

import { coverage, imageAt, type Mask } from '../../src/images/image.ts';
import {
  type Corruption,
  type CorruptionOptions,
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

/** A case's scores: of the rules before the model, and of the model; with the search's own reconstruction, and the one that was given the mask. */
export interface CaseScores {
  readonly before: MaskScores;
  readonly model: MaskScores;
  readonly beforeGiven: MaskScores;
  readonly modelGiven: MaskScores;
  /** Milliseconds of the model for a picture. */
  readonly milliseconds: number;
  readonly outOfDomain: number;
  readonly made: readonly Corruption[];
}

export function scoresOf(masks: readonly Mask[], truths: readonly Mask[]): MaskScores {
  const each = masks.map((mask, i) => {
    const { truePositives, falsePositives, falseNegatives } = countsOf(truths[i], mask);
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

function countsOf(truth: Mask, mask: Mask) {
  return confusion(truth.data, mask.data);
}

export function compare(recording: Recording, options: Partial<CorruptionOptions>, most: number): CaseScores {
  const { x, truth } = recording;
  const pictures = Array.from({ length: Math.min(most, x.dims[0]) }, (_, i) => i);
  const each = (batch: Mask) => pictures.map((i) => imageAt(batch, i));
  const truths = each(truth);
  const inferred = (y: Recording['found']) =>
    pictures.map((i) => inferCorruption({ picture: imageAt(x, i), reconstruction: imageAt(y, i) }, options));
  const started = performance.now();
  const made = inferred(recording.found);
  const milliseconds = (performance.now() - started) / made.length;
  const given = inferred(recording.given);
  return {
    before: scoresOf(each(recording.before), truths),
    model: scoresOf(
      made.map(({ mask }) => mask),
      truths,
    ),
    beforeGiven: scoresOf(each(recording.beforeGiven), truths),
    modelGiven: scoresOf(
      given.map(({ mask }) => mask),
      truths,
    ),
    milliseconds,
    outOfDomain: made.filter(({ outOfDomain }) => outOfDomain).length / made.length,
    made,
  };
}
