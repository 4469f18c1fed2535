/** Unique names: output files are named after items, and no two items may write the same files. */

/** Several items of one source (the pictures of an array) share a stem: `stem.0`, `stem.1`, ... */
export interface NameRequest {
  /** The source's identity: the same in a later run. */
  readonly source: string;
  /** Stems in the order in which they are wanted. */
  readonly stems: readonly string[];
  /** Content hash of each item; empty where it could not be read. */
  readonly contents: readonly string[];
}

export interface NameBook {
  /** A name for each item: unique in this run, and in earlier ones but for the same item. */
  claim(request: NameRequest): string[];
}

/** The earlier owner of a name. */
export interface NameOwner {
  readonly item: string;
  readonly source: string;
  readonly content: string;
}

/**
 * Names are compared without regard to case, as some file systems do. A name that an earlier run has used belongs to the same source,
 * or to the same content; a source gets the name that it had.
 */
export function nameBook(earlier: Iterable<NameOwner>): NameBook {
  const owners = new Map<string, NameOwner>();
  const stemOf = new Map<string, string>();
  for (const owner of earlier) {
    owners.set(owner.item.toLowerCase(), owner);
    stemOf.set(owner.source, owner.item);
  }
  const claimed = new Set<string>();
  const isFree = (name: string, source: string, content: string) => {
    const key = name.toLowerCase();
    const owner = owners.get(key);
    // What could not be read has no content, and is equal to nothing.
    const isSame = owner?.source === source || (content !== '' && owner?.content === content);
    return !claimed.has(key) && (!owner || isSame);
  };
  return {
    claim({ source, stems, contents }) {
      const count = contents.length;
      const had = stemOf.get(sourceOf(source, 0, count));
      const safe = stems.map(safeStem);
      const wanted = had === undefined ? safe : [count === 1 ? had : had.replace(/\.\d+$/, ''), ...safe];
      for (let attempt = 0; ; attempt++) {
        const stem = wanted[attempt] ?? `${safe[0]}-${attempt - wanted.length + 2}`;
        const names = contents.map((_, i) => numbered(stem, i, count));
        if (!names.every((name, i) => isFree(name, sourceOf(source, i, count), contents[i]))) continue;
        for (const name of names) claimed.add(name.toLowerCase());
        return names;
      }
    },
  };
}

/**
 * Names as a list gives them, folders in them included, so that they do not depend on the rest of the list. Where two items of the
 * list have one name, the later one is numbered: `stem-2`.
 */
export function listedNames(): NameBook {
  const claimed = new Set<string>();
  return {
    claim({ stems: [stem], contents }) {
      for (let attempt = 1; ; attempt++) {
        const own = attempt === 1 ? stem : `${stem}-${attempt}`;
        const names = contents.map((_, i) => numbered(own, i, contents.length));
        if (names.some((name) => claimed.has(name.toLowerCase()))) continue;
        for (const name of names) claimed.add(name.toLowerCase());
        return names;
      }
    },
  };
}

/** Separators of folders and drives, and control characters: names are to be file names on every system. */
function safeStem(stem: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced.
  return stem.replace(/[\\/:\u0000-\u001f]/g, '_');
}

/** The identity of the i-th of several items of a source. */
export function sourceOf(source: string, i: number, count: number): string {
  return count === 1 ? source : `${source}#${i}`;
}

/** `stem`, or `stem.07` of a hundred. */
export function numbered(stem: string, i: number, count: number): string {
  return count === 1 ? stem : `${stem}.${String(i).padStart(String(count - 1).length, '0')}`;
}
