/** One picture looked at by one method: what is kept of it. */

import { imageScore } from '../../detect/defects.ts';
import { coverage, type Image, imageAt } from '../../images/image.ts';
import { dice, iou } from '../../metrics/overlap.ts';
import { type TrialRecord, thinned } from '../record.ts';
import type { Found } from './detector.ts';
import { GOOD } from './results.ts';
import { paperScores } from './score.ts';

export interface TestPicture {
  readonly name: string;
  readonly defect: string;
  /** [1,C,H,W] in [-1,1] */
  readonly image: Image;
  /** Zeros for good pictures; absent where a defective one has no mask. */
  readonly truth?: Float32Array;
  readonly sha256: string;
}

export interface DetectTrial {
  readonly set: string;
  readonly method: string;
  readonly key: string;
  readonly index: number;
  readonly picture: Pick<TestPicture, 'name' | 'defect' | 'truth'>;
  /** Smoothed map, and the pixels of it above the threshold. */
  readonly mask: Float32Array;
  readonly map: Float32Array;
  readonly seconds: number;
}

/** The record of picture `i` of what was found. */
export function detectRecord(
  { set, method, picture, index, key, mask, map, seconds }: DetectTrial,
  { maps, softMasks, scores, searches }: Found,
  i: number,
): TrialRecord {
  const { truth, defect, name } = picture;
  const annotated = truth !== undefined && defect !== GOOD;
  const search = searches?.[i];
  return {
    kind: 'detect',
    key,
    set,
    case: defect,
    method,
    maskGiven: false,
    image: name,
    index,
    code: search?.code ?? 'done',
    metrics: {
      ...(annotated ? { mask_iou: iou(truth, mask), mask_dice: dice(truth, mask) } : {}),
      masked_share: coverage(mask),
      ...(truth ? { true_share: coverage(truth) } : {}),
      ...(annotated ? paperScores(truth, imageAt(softMasks ?? maps, i).data) : {}),
    },
    seconds: Number(seconds.toFixed(4)),
    // A search that diverged has no loss to be scored by.
    score: Number.isFinite(scores?.[i]) ? scores![i] : imageScore(map, 1),
    ...(search
      ? {
          steps: search.steps,
          loss: Number.isFinite(search.loss) ? search.loss : null,
          history: thinned(search.history),
        }
      : {}),
  };
}
