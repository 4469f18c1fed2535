/**
 * How far pictures are from what principal components of the others can make, in pixels. Some of the others are defective, too, and components that
 * have learnt a defect draw it. So the components are learnt robustly: each picture is projected with the exact mask of RGI, its masked pixels
 * are filled with G(z), and the components are learnt again from what results. It is alternating minimisation of the objective of RGI over z, masks and
 * the weights of a linear G.
 */
import { type Image, imagesOf, shapeOf, stackImages } from '../../images/image.ts';
import { resize } from '../../images/resize.ts';
import { openGenerator } from '../../inversion/generator/generator.ts';
import { openProjection, PROJECTED_TOGETHER, type ProjectionSettings } from '../../inversion/solve/exact/projection.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { componentsFor, fitLinear } from '../networks/linear.ts';
import { inUsualUnits, partsOf, type ScreeningJob, scoreOf } from './scores.ts';

/** Half a grey level of noise: as good as no prior. */
const PROJECTION: ProjectionSettings = { thresholdGrey: 40, noiseGrey: 0.5, rounds: 4 };

/** Scores of pictures [1,C,H,W] in [-1,1] of one size. */
export async function pixelScores(
  images: readonly Image[],
  runtime: Runtime,
  { grid, rounds, beforePart, onShare }: Omit<ScreeningJob, 'limit'>,
): Promise<readonly number[]> {
  const { height, width } = shapeOf(images[0]);
  const size = { height: Math.min(grid, height), width: Math.min(grid, width) };
  const small = images.map((image) => resize(image, size, 'area'));
  const { parts, partOf } = partsOf(images.length);
  let learnt = small;
  let maps: Float32Array[] = [];
  for (let round = 0; round < rounds; round++) {
    const restored: Image[] = [];
    for (let part = 0; part < parts; part++) {
      beforePart();
      const isOwn = (_: Image, i: number) => partOf(i) === part;
      const others = learnt.filter((_, i) => parts === 1 || partOf(i) !== part);
      restored.push(...(await restoredBy(others, small.filter(isOwn), runtime)));
      onShare((round + (part + 1) / parts) / rounds);
    }
    maps = small.map((image, i) => residualOf(image, restored[i]));
    learnt = small.map((image, i) => filled(image, restored[i], maps[i]));
  }
  return inUsualUnits(maps).map(scoreOf);
}

/** G(z) of pictures, by principal components of others. */
async function restoredBy(others: readonly Image[], own: readonly Image[], runtime: Runtime): Promise<Image[]> {
  const { generator } = await fitLinear(stackImages(others), componentsFor('object', others.length), runtime);
  const projection = (await openProjection(await openGenerator(generator, runtime), runtime))!;
  const restored: Image[] = [];
  try {
    for (let from = 0; from < own.length; from += PROJECTED_TOGETHER) {
      const part = stackImages(own.slice(from, from + PROJECTED_TOGETHER));
      restored.push(...imagesOf(await projection.project(part, PROJECTION)));
    }
  } finally {
    await projection.dispose();
  }
  return restored;
}

/** Root mean square over the channels of each pixel's residual: [H W]. */
function residualOf(image: Image, restored: Image): Float32Array {
  const { channels, height, width } = shapeOf(image);
  const squares = new Float32Array(height * width);
  image.data.forEach((v, i) => {
    squares[i % squares.length] += (v - restored.data[i]) ** 2 / channels;
  });
  return squares.map(Math.sqrt);
}

/** The picture with its masked pixels filled. */
function filled(image: Image, restored: Image, residual: Float32Array): Image {
  const limit = PROJECTION.thresholdGrey / 127.5;
  return {
    ...image,
    data: image.data.map((v, i) => (residual[i % residual.length] > limit ? restored.data[i] : v)),
  };
}
