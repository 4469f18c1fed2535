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
  /** Pictures with a defect, and how many of them were called defective. */
  readonly defects: number;
  readonly found: number;
  /** Pictures without, and how many of them were called good. */
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
  const count = (defect: boolean, defective: boolean) =>
    items.filter((one) => one.defect === defect && one.defective === defective).length;
  const [found, passed] = [count(true, true), count(false, false)];
  return { pixelAuroc, found, defects: found + count(true, false), passed, good: passed + count(false, true) };
}

export const decibels = (value: number) => value.toFixed(1);
