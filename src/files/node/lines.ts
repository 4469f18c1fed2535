/** Text files of any length line by line, in memory of one line. */
import { fileError, messageOf, RgiError } from '../../errors.ts';
import { openRegular } from './regular.ts';

export interface Line {
  /** Without its end; undefined where it is longer than the limit. */
  readonly text: string | undefined;
  /** Bytes of the line in the file, without its end. */
  readonly offset: number;
  readonly length: number;
  /** False for a last line that lacks its end. */
  readonly isEnded: boolean;
}

/** The lines that are not empty. Throws `input` where the file is none, or cannot be read. */
export async function* readLines(file: string, maxBytes: number): AsyncGenerator<Line> {
  // The line so far, in pieces: joined once, so that a long one takes time in proportion to its length.
  let pieces: Buffer[] = [];
  let length = 0;
  let offset = 0;
  const add = (piece: Buffer) => {
    length += piece.length;
    if (length > maxBytes) pieces = [];
    else pieces.push(piece);
  };
  const line = (isEnded: boolean): Line => ({
    text: length > maxBytes ? undefined : Buffer.concat(pieces).toString('utf8'),
    offset,
    length,
    isEnded,
  });
  try {
    const handle = await openRegular(file);
    // The stream closes the file at its end.
    for await (const chunk of handle.createReadStream({ highWaterMark: 2 ** 20 })) {
      const bytes = chunk as Buffer;
      let from = 0;
      for (let stop = bytes.indexOf(10); stop >= 0; stop = bytes.indexOf(10, from)) {
        add(bytes.subarray(from, stop));
        if (length > 0) yield line(true);
        offset += length + 1;
        from = stop + 1;
        pieces = [];
        length = 0;
      }
      add(bytes.subarray(from));
    }
    if (length > 0) yield line(false);
  } catch (error) {
    if (error instanceof RgiError) throw error;
    throw fileError(file, 'unreadable', `${file} cannot be read (${messageOf(error)}).`, error);
  }
}
