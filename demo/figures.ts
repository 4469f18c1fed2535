/** The few numbers that matter, for the page and for the terminal. */
import { quantile } from '../src/arrays/sort.ts';
import type { InspectionView, RestoredView } from './views.ts';

export interface Figures {
  /** Restored pictures. */
  readonly pictures: number;
  /** Medians over all of them, dB: of what was given, of G(z), of the composite. */
  readonly before: number;
  readonly restored: number;
  readonly composite: number;
  readonly iou: number;
  readonly secondsPerPicture: number;
  readonly inspection?: InspectionFigures;
  /** Of the whole demo. */
  readonly seconds: number;
}

export interface InspectionFigures {
  /** Of all pixels of all pictures together. */
  readonly pixelAuroc: number;
  /** Pictures with a defect; how many of them are marked there, and how many are above the limit. */
  readonly defects: number;
  readonly marked: number;
  readonly found: number;
  /** Pictures without; how many of them have no mark and are below the limit. */
  readonly good: number;
  readonly passed: number;
}

export function figuresOf(items: readonly RestoredView[], seconds: number, inspection?: InspectionView): Figures {
  const median = (of: (item: RestoredView) => number) =>
    quantile(
      items.map(of).sort((a, b) => a - b),
      0.5,
    );
  return {
    pictures: items.length,
    before: median((item) => item.psnr.before),
    restored: median((item) => item.psnr.restored),
    composite: median((item) => item.psnr.composite),
    iou: median((item) => item.iou),
    secondsPerPicture: items.reduce((sum, item) => sum + item.seconds, 0) / items.length,
    seconds,
    ...(inspection ? { inspection: inspectionFigures(inspection) } : {}),
  };
}

function inspectionFigures({ items, pixelAuroc }: InspectionView): InspectionFigures {
  const drawn = items.filter((one) => one.defect);
  const plain = items.filter((one) => !one.defect);
  return {
    pixelAuroc,
    defects: drawn.length,
    marked: drawn.filter((one) => one.marked).length,
    found: drawn.filter((one) => one.defective).length,
    good: plain.length,
    passed: plain.filter((one) => !one.marked && !one.defective).length,
  };
}

export const decibels = (value: number) => value.toFixed(1);
