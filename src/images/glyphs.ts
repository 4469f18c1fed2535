/** A 5 x 7 pixel alphabet of our own, for labels of contact sheets and for text-like corruptions. */

/** Glyphs by character: seven rows, one base-32 digit each, highest bit left. */
const GLYPHS: Readonly<Record<string, string>> = {
  A: 'ehhvhhh',
  B: 'uhhuhhu',
  C: 'ehggghe',
  D: 'uhhhhhu',
  E: 'vgguggv',
  F: 'vgguggg',
  G: 'ehgnhhf',
  H: 'hhhvhhh',
  I: 'e44444e',
  J: '72222ic',
  K: 'hikokih',
  L: 'ggggggv',
  M: 'hrllhhh',
  N: 'hhpljhh',
  O: 'ehhhhhe',
  P: 'uhhuggg',
  Q: 'ehhhlid',
  R: 'uhhukih',
  S: 'fgge11u',
  T: 'v444444',
  U: 'hhhhhhe',
  V: 'hhhhha4',
  W: 'hhhllla',
  X: 'hha4ahh',
  Y: 'hha4444',
  Z: 'v1248gv',
  0: 'ehjlphe',
  1: '4c4444e',
  2: 'eh1248v',
  3: 'v2421he',
  4: '26aiv22',
  5: 'vgu11he',
  6: '68guhhe',
  7: 'v124888',
  8: 'ehhehhe',
  9: 'ehhf12c',
  '.': '00000cc',
  ',': '0000c48',
  ':': '0cc0cc0',
  '-': '000v000',
  '+': '044v440',
  '/': '01248g0',
  '%': 'op248j3',
  '=': '00v0v00',
  '(': '2488842',
  ')': '8422248',
  _: '000000v',
  '#': 'aavavaa',
  '?': 'eh12404',
  ' ': '0000000',
};

export const GLYPH_HEIGHT = 7;
/** Width of a glyph with the gap after it. */
export const GLYPH_ADVANCE = 6;

/** Letters and digits, for drawing random text. */
export const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

/**
 * Calls `paint(x, y)` for every pixel of `text`, top left at (0,0), each font pixel `scale` pixels wide. Lower case is
 * drawn as upper case, unknown characters as a question mark.
 */
export function drawText(text: string, scale: number, paint: (x: number, y: number) => void): void {
  [...text.toUpperCase()].forEach((character, index) => {
    const rows = GLYPHS[character] ?? GLYPHS['?'];
    for (let y = 0; y < GLYPH_HEIGHT; y++) {
      const bits = Number.parseInt(rows[y], 32);
      for (let x = 0; x < 5; x++) {
        if (!((bits >> (4 - x)) & 1)) continue;
        for (let dy = 0; dy < scale; dy++) {
          for (let dx = 0; dx < scale; dx++) paint((index * GLYPH_ADVANCE + x) * scale + dx, y * scale + dy);
        }
      }
    }
  });
}
