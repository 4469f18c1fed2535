/**
 * Few good pictures. A generator of pixels that has learnt from few of them reproduces new ones badly, and those that it was trained on say
 * nothing about its residuals. A pretrained network has learnt from none of them: features alone are compared then, and all pictures set
 * the thresholds, each by statistics of the others.
 */
import type { Image } from '../images/image.ts';
import { shapeOf } from '../images/image.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type CalibrationSetup, groupsOf } from './calibration-setup.ts';
import { joined, measuredMaps } from './candidates.ts';
import { type FeatureHooks, fitFeatures } from './feature-space.ts';
import { foldsOf } from './folds.ts';
import { type FeatureSource, featureSettings, type JoinedSpaces, storedGaussian } from './join-spaces.ts';
import { joinedMap, joinUnits } from './joining.ts';
import { drawnSample } from './selection.ts';

/** Held-out pictures below which features alone are compared: with fewer, nothing can be said of residuals. */
export const MIN_FOR_PIXELS = 8;

export interface FewJob {
  readonly source: FeatureSource;
  readonly setup: CalibrationSetup;
  /** Names of the setup's unseen pictures. */
  readonly names: readonly string[];
}

export async function featuresAlone(
  { source, setup, names }: FewJob,
  runtime: Runtime,
  hooks: FeatureHooks,
): Promise<JoinedSpaces> {
  const { network, learnt = [], learntNames, learntGroups } = source;
  const { unseen } = setup;
  const pictures: readonly Image[] = [...unseen, ...learnt];
  // Where names tell groups, training holds out whole ones: no near-duplicate of an unseen picture is among the learnt ones.
  const own = foldsOf(unseen.length, groupsOf(setup, [...unseen.keys()]));
  const first = Math.max(...own) + 1;
  const folds = [...own, ...foldsOf(learnt.length, learntGroups).map((fold) => first + fold)];
  const { chosen, drawn } = drawnSample(setup);
  const fitted = await fitFeatures(
    {
      network,
      unseen: pictures,
      folds,
      seen: [],
      drawn: drawn.map(({ image }) => image),
      drawnFolds: chosen.map((i) => folds[i]),
    },
    runtime,
    hooks,
  );
  const units = joinUnits(fitted.unseen, fitted.unseen, 'features');
  const mapOf = (map: Image) => joinedMap(map, map, units);
  const good = fitted.unseen.map(mapOf);
  const clean = chosen.map((i) => good[i]);
  const { measured, scorePixels } = measuredMaps(clean, fitted.drawn.map(mapOf), joined(drawn.map(({ mask }) => mask)));
  return {
    spaces: 'features',
    measured,
    compared: { features: measured },
    scorePixels,
    good,
    judged: {
      pictures,
      folds,
      names: [...names, ...learnt.map((_, i) => learntNames?.[i] ?? `${unseen.length + i + 1}`)],
    },
    settings: featureSettings(source, shapeOf(pictures[0]), units),
    gaussian: storedGaussian(fitted.gaussian),
  };
}
