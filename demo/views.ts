/** What the demo found, as what its page shows: pictures as data URLs, numbers, short words. */
import { thinned } from '../src/evaluate/record.ts';
import { type Image, maskToImage } from '../src/images/image.ts';
import { encodePng } from '../src/images/node/write.ts';
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
  readonly verdict: 'good' | 'defective';
  /** The picture's score, and the score from which it counts as defective. */
  readonly score: number;
  readonly threshold: number;
  readonly pictures: Readonly<Record<'input' | 'overlay' | 'map' | 'mask' | 'trueMask', string>>;
}

export interface InspectionView {
  readonly items: readonly InspectedView[];
  readonly pixelAuroc: number;
  /** The colours of the maps, from least to most. */
  readonly scale: string;
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

/** Clipped to [-1,1], as a PNG in a data URL, at its own size: the page enlarges it. */
export async function pngUrl(image: Image): Promise<string> {
  return `data:image/png;base64,${Buffer.from(await encodePng(image)).toString('base64')}`;
}
