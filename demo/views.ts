/** What the demo found, as what its page shows: pictures as data URLs, numbers, short words. */
import { thinned } from '../src/evaluate/record.ts';
import { colourMap, overlay } from '../src/images/colour.ts';
import type { DefectKind } from '../src/images/defects.ts';
import { type Image, type Mask, maskToImage } from '../src/images/image.ts';
import { encodePng } from '../src/images/node/write.ts';
import { float32 } from '../src/onnx/tensor.ts';
import type { InspectedProduct } from './inspection.ts';
import type { ShippedModel } from './models.ts';
import type { RestoredPicture } from './restoration.ts';

export interface RestoredView {
  readonly case: string;
  readonly title: string;
  /** PNG as data URLs. */
  readonly pictures: Readonly<Record<'input' | 'mask' | 'composite' | 'restored' | 'truth' | 'trueMask', string>>;
  readonly psnr: RestoredPicture['psnr'];
  readonly iou: number;
  readonly seconds: number;
  readonly steps: number;
  readonly history: ReturnType<typeof thinned>;
}

export interface SearchView {
  readonly title: string;
  readonly input: string;
  readonly frames: readonly { readonly step: number; readonly restored: string; readonly mask: string }[];
}

export interface InspectedView {
  readonly title: string;
  /** Was a defect drawn? */
  readonly defect: boolean;
  /** Is it marked at all, and is its score above the limit? */
  readonly marked: boolean;
  readonly defective: boolean;
  /** The picture's score, and the score above which it counts as defective. */
  readonly score: number;
  readonly threshold: number;
  /** How far across the picture the middle of the mask found lies, 0 to 1. */
  readonly across: number;
  readonly pictures: Readonly<Record<'input' | 'overlay' | 'map' | 'mask' | 'trueMask', string>>;
}

export interface InspectionView {
  readonly items: readonly InspectedView[];
  readonly pixelAuroc: number;
  /** The colours of the maps, from the least value (0) to `high`. */
  readonly scale: string;
  readonly high: number;
  readonly pixelThreshold: number;
  /** Share of good photographs above the limit. */
  readonly falseAlarms: number;
  readonly credit: string;
}

/** What is wrong with the picture, for who does not know the cases' names. */
const TITLES: Readonly<Record<string, string>> = {
  block: 'A block of noise',
  random: 'Half of the pixels are noise',
  irregular: 'Strokes of noise',
  scratches: 'Scratches',
  stains: 'Stains',
  dust: 'Dust and fibres',
  text: 'Printed over',
  strips: 'Missing strips',
};

export async function viewOf(picture: RestoredPicture): Promise<RestoredView> {
  const { input, truth, trueMask, restoration, psnr, iou } = picture;
  const { restored, composite, mask, seconds, steps, history } = restoration;
  return {
    case: picture.case,
    title: TITLES[picture.case] ?? picture.case,
    pictures: {
      input: await pngUrl(input),
      mask: await pngUrl(maskToImage(mask)),
      composite: await pngUrl(composite),
      restored: await pngUrl(restored),
      truth: await pngUrl(truth),
      trueMask: await pngUrl(maskToImage(trueMask)),
    },
    psnr,
    iou,
    seconds,
    steps,
    history: thinned(history),
  };
}

const DEFECT_TITLES: Readonly<Record<DefectKind, string>> = {
  scratch: 'A scratch',
  stain: 'A stain',
  pit: 'A pit',
  crack: 'A crack',
};

export async function inspectionView({
  policy,
  pictures,
  pixelAuroc,
  ...model
}: InspectedProduct): Promise<InspectionView> {
  const { thresholds, displayHigh: high, falseAlarms } = policy;
  const views = pictures.map(
    async ({ defect, marked, defective, score, input, map, mask, trueMask }): Promise<InspectedView> => ({
      title: defect ? DEFECT_TITLES[defect] : 'Nothing wrong',
      defect: defect !== undefined,
      marked,
      defective,
      score,
      threshold: thresholds.image,
      across: acrossOf(mask),
      pictures: {
        input: await pngUrl(input),
        overlay: await pngUrl(overlay(input, mask)),
        map: await pngUrl(colourMap(map, 0, high)),
        mask: await pngUrl(maskToImage(mask)),
        trueMask: await pngUrl(maskToImage(trueMask)),
      },
    }),
  );
  const ramp = float32(
    Float32Array.from({ length: 256 }, (_, i) => i),
    [1, 1, 1, 256],
  );
  return {
    items: await Promise.all(views),
    pixelAuroc,
    scale: await pngUrl(colourMap(ramp, 0, 255)),
    high,
    pixelThreshold: thresholds.pixel,
    falseAlarms: falseAlarms.image,
    credit: creditOf(model),
  };
}

function acrossOf({ data, dims }: Mask): number {
  const width = dims[3];
  const columns = [...data.keys()].filter((i) => data[i] > 0).map((i) => i % width);
  return columns.reduce((sum, x) => sum + (x + 0.5) / width, 0) / Math.max(1, columns.length);
}

/** Whom to name for a model's pictures, and where the terms are. */
export function creditOf({ licence, name }: Pick<ShippedModel, 'licence' | 'name'>): string {
  const { name: terms, attribution } = licence ?? {};
  return `${attribution ? `${attribution}. ` : ''}${terms ?? 'see the model card'} (models/${name}/README.md)`;
}

/** Clipped to [-1,1], as a PNG in a data URL, at its own size: the page enlarges it. */
export async function pngUrl(image: Image): Promise<string> {
  return `data:image/png;base64,${Buffer.from(await encodePng(image)).toString('base64')}`;
}
