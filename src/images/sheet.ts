/** Many pictures on one: contact sheets, sample grids. */
import { zeros } from '../onnx/tensor.ts';
import { drawText, GLYPH_ADVANCE, GLYPH_HEIGHT } from './glyphs.ts';
import { asBatch, type Image, imageAt, imagesOf, shapeOf, toColour } from './image.ts';
import { resize } from './resize.ts';

export interface SheetOptions {
  /** One short label above each column. */
  readonly columns?: readonly string[];
  /** One short label before each row. */
  readonly rows?: readonly string[];
  /** White pixels between cells; default 4. */
  readonly gap?: number;
  /** Every cell enlarged this many times, pixels kept square; default 1. */
  readonly scale?: number;
}

/**
 * A white sheet [1,C,H,W] with the cells in rows: each cell [1,C,h,w] or [C,h,w], of any size, `undefined` for an empty
 * place. Colour if any cell is. Labels are cut where they would leave their column.
 */
export function contactSheet(cells: readonly (readonly (Image | undefined)[])[], options: SheetOptions = {}): Image {
  const { gap = 4, scale = 1 } = options;
  const colour = cells.some((row) => row.some((cell) => cell && asBatch(cell).dims[1] === 3));
  const table = cells.map((row) =>
    row.map((cell) => {
      if (!cell) return undefined;
      const one = imageAt(asBatch(cell), 0);
      const { height, width } = shapeOf(one);
      return resize(colour ? toColour(one) : one, { height: height * scale, width: width * scale }, 'nearest');
    }),
  );
  const columnCount = Math.max(1, ...table.map((row) => row.length));
  const widths = Array.from({ length: columnCount }, (_, k) =>
    Math.max(8, ...table.map((row) => row[k]?.dims[3] ?? 0)),
  );
  const heights = table.map((row) => Math.max(GLYPH_HEIGHT, ...row.map((cell) => cell?.dims[2] ?? 0)));
  const margin = options.rows ? Math.max(...options.rows.map((t) => t.length)) * GLYPH_ADVANCE + gap : gap;
  const header = options.columns ? GLYPH_HEIGHT + 2 * gap : gap;
  const total = (sizes: readonly number[]) => sizes.reduce((sum, s) => sum + s + gap, 0);
  const [height, width] = [header + total(heights), margin + total(widths)];
  const sheet = zeros('float32', [1, colour ? 3 : 1, height, width]);
  sheet.data.fill(1);
  const write = (text: string, top: number, left: number) =>
    drawText(text, 1, (x, y) => {
      for (let c = 0; c < sheet.dims[1]; c++) sheet.data[(c * height + top + y) * width + left + x] = -1;
    });
  options.columns?.slice(0, columnCount).forEach((text, k) => {
    write(text.slice(0, Math.floor((widths[k] + gap) / GLYPH_ADVANCE)), gap, margin + total(widths.slice(0, k)));
  });
  table.forEach((row, r) => {
    const top = header + total(heights.slice(0, r));
    if (options.rows?.[r]) write(options.rows[r], top + ((heights[r] - GLYPH_HEIGHT) >> 1), gap >> 1);
    row.forEach((cell, k) => {
      if (cell) paste(sheet, cell, top, margin + total(widths.slice(0, k)));
    });
  });
  return sheet;
}

/** A batch as a nearly square grid. */
export function imageGrid(batch: Image, options: SheetOptions & { readonly perRow?: number } = {}): Image {
  const images = imagesOf(batch);
  const perRow = options.perRow ?? Math.ceil(Math.sqrt(images.length));
  const rows: Image[][] = [];
  for (let i = 0; i < images.length; i += perRow) rows.push(images.slice(i, i + perRow));
  return contactSheet(rows, options);
}

function paste(sheet: Image, cell: Image, top: number, left: number): void {
  const [, channels, height, width] = cell.dims;
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      const from = (c * height + y) * width;
      sheet.data.set(cell.data.subarray(from, from + width), (c * sheet.dims[2] + top + y) * sheet.dims[3] + left);
    }
  }
}
