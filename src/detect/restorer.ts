/** What pictures would look like if they were good: whole ones at the generator's size, others put together of tiles. */
import { type Box, type Image, imageAt, type Size, shapeOf, stackImages } from '../images/image.ts';
import { crop } from '../images/resize.ts';
import { atLeast, type TileMerger, tileBoxes, tileMerger, withoutPadding } from '../images/tiles.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type InverterOptions, openInverter } from './inverter.ts';

export interface Restorer {
  /** Pictures that should be given together. */
  readonly batch: number;
  /** For each picture [1,C,H,W] one of its size: of the generator's with the form 'object', of any with 'tiles'. */
  restore(images: readonly Image[], onDone?: (share: number) => void): Promise<Image[]>;
  dispose(): Promise<void>;
}

export interface RestorerOptions extends InverterOptions {
  readonly form: 'object' | 'tiles';
  readonly stride: number;
}

export async function openRestorer(options: RestorerOptions, runtime: Runtime): Promise<Restorer> {
  const { generator, form, stride } = options;
  const inverter = await openInverter(options, runtime);
  const { batch } = inverter;
  const tile: Size = { height: generator.height, width: generator.width };
  const inBatches = async (parts: readonly Image[]): Promise<Image[]> => {
    const made = await inverter.invert(stackImages(parts));
    return parts.map((_, i) => imageAt(made, i));
  };
  const whole: Restorer['restore'] = async (images, onDone) => {
    const restored: Image[] = [];
    for (let from = 0; from < images.length; from += batch) {
      restored.push(...(await inBatches(images.slice(from, from + batch))));
      onDone?.(restored.length / images.length);
    }
    return restored;
  };
  const byTiles: Restorer['restore'] = async (images, onDone) => {
    const jobs: { padded: Image; box: Box; merger: TileMerger }[] = [];
    const mergers = images.map((image) => {
      const padded = atLeast(image, tile);
      const merger = tileMerger(generator.channels, shapeOf(padded), tile);
      for (const box of tileBoxes(shapeOf(padded), tile, stride)) jobs.push({ padded, box, merger });
      return merger;
    });
    for (let from = 0; from < jobs.length; from += batch) {
      const part = jobs.slice(from, from + batch);
      const made = await inBatches(part.map(({ padded, box }) => crop(padded, box)));
      part.forEach(({ box, merger }, i) => {
        merger.add(made[i], box);
      });
      onDone?.(Math.min(1, (from + batch) / jobs.length));
    }
    return images.map((image, i) => withoutPadding(mergers[i].merged(), shapeOf(image)));
  };
  return {
    batch: form === 'object' ? batch : 1,
    restore: form === 'object' ? whole : byTiles,
    dispose: inverter.dispose,
  };
}
