/** Changes of bytes, texts and trees of values (JSON, protobuf messages) that find out what a reader takes for granted. */
import type { Random } from '../../src/random.ts';

export function pick<T>(values: readonly T[], random: Random): T {
  return values[random.integer(values.length)];
}

/** Sizes and counts that overflow, allocate or loop where they are believed. */
const EXTREME_WORDS = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** Bits, bytes and words changed, parts cut, repeated, swapped with those of `other`. */
export function mutatedBytes(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  let result = new Uint8Array(bytes);
  for (let changes = 1 + random.integer(4); changes > 0 && result.length > 0; changes--) {
    const at = random.integer(result.length);
    const length = 1 + random.integer(Math.min(64, result.length - at));
    switch (random.integer(9)) {
      case 0:
        result[at] ^= 1 << random.integer(8);
        break;
      case 1:
        result[at] = pick([0, 1, 0x7f, 0x80, 0xff], random);
        break;
      case 2:
        writeWord(result, at, pick(EXTREME_WORDS, random), pick([1, 2, 4], random), random.integer(2) === 0);
        break;
      case 3:
        // Where headers are.
        result[random.integer(Math.min(64, result.length))] = random.integer(256);
        break;
      case 4:
        result = result.slice(0, at);
        break;
      case 5:
        result = joined(result.subarray(0, at), result.subarray(at + length));
        break;
      case 6:
        result = joined(result.subarray(0, at), result.subarray(at, at + length), result.subarray(at));
        break;
      case 7:
        result = joined(result.subarray(0, at), other.subarray(random.integer(other.length + 1)));
        break;
      default:
        // An endless number, as protobuf writes them.
        result.fill(0xff, at, at + Math.min(length, 10));
    }
  }
  return result;
}

function writeWord(bytes: Uint8Array, at: number, value: number, size: number, bigEndian: boolean): void {
  for (let i = 0; i < size && at + i < bytes.length; i++) {
    bytes[at + i] = (value >>> (8 * (bigEndian ? size - 1 - i : i))) & 255;
  }
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}

export const NUMBERS = [
  0,
  -0,
  -1,
  1,
  2,
  0.5,
  -0.5,
  255,
  1e-320,
  1e9,
  2 ** 31,
  -(2 ** 31),
  2 ** 32 + 1,
  2 ** 53 + 2,
  1e12,
  1e308,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
];

export const TEXTS = [
  '',
  ' ',
  '\0',
  '..',
  '../../etc/passwd',
  '/dev/zero',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '\u001b[31m\u0007',
  '\ud800',
  '%s%d%n',
  '<script>alert(1)</script>',
  '\'"`$(id)',
  'a'.repeat(5000),
  'é\u0301\u202e',
  'NaN',
  '-1',
  '1e999',
];

/** Values of other kinds than a reader expects. */
const OTHERS: readonly unknown[] = [null, true, false, 0, -1, 1e308, '', 'text', [], {}, [[]], [null], { a: 1 }];

/** Stands in a tree for a value that no recursion of ordinary depth reads, or writes: see `jsonOf`. */
const DEEP = '@deep@';
const DEPTH = 50_000;

/** The tree as JSON text, deep values written out. */
export function jsonOf(tree: unknown): string {
  return (JSON.stringify(tree) ?? 'null').replaceAll(`"${DEEP}"`, `${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}`);
}

/** A member of a tree that can be replaced. */
interface Place {
  readonly parent: Record<string, unknown> | unknown[];
  readonly key: string | number;
}

function placesOf(value: unknown, places: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return places;
  const keys = Array.isArray(value) ? [...value.keys()] : Object.keys(value).filter((key) => !key.startsWith('$'));
  for (const key of keys) {
    const parent = value as Record<string, unknown>;
    places.push({ parent, key });
    placesOf(parent[key], places);
  }
  return places;
}

/** Changes members of `tree`, in place: each into a value of its own type or, where `isJson`, of another one. */
export function mutateTree(tree: unknown, random: Random, isJson: boolean): void {
  const places = placesOf(tree);
  for (let changes = 1 + random.integer(3); changes > 0 && places.length > 0; changes--) {
    const { parent, key } = pick(places, random);
    const values = parent as Record<string | number, unknown>;
    const value = values[key];
    if (isJson && random.integer(3) === 0) changeKind(values, key, places, random);
    else if (Array.isArray(value)) mutateList(value, random);
    else values[key] = otherValue(value, random);
  }
}

function changeKind(
  parent: Record<string | number, unknown>,
  key: string | number,
  places: readonly Place[],
  random: Random,
): void {
  const choice = random.integer(20);
  if (choice === 0) parent[key] = DEEP;
  else if (choice < 4 && !Array.isArray(parent)) delete parent[key];
  else if (choice < 8) {
    const other = pick(places, random);
    parent[key] = structuredClone((other.parent as Record<string | number, unknown>)[other.key]);
  } else parent[key] = pick(OTHERS, random);
}

function mutateList(list: unknown[], random: Random): void {
  const at = random.integer(list.length + 1);
  switch (random.integer(4)) {
    case 0:
      list.splice(at, 1);
      break;
    case 1:
      list.length = 0;
      break;
    case 2:
      if (list.length > 0) list.splice(at, 0, list[random.integer(list.length)]);
      break;
    default:
      if (list.length > 1) [list[0], list[list.length - 1]] = [list[list.length - 1], list[0]];
  }
}

const LONGS = [
  0n,
  -1n,
  1n,
  2n,
  255n,
  2n ** 31n,
  2n ** 31n - 1n,
  -(2n ** 31n),
  10n ** 12n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];

function otherValue(value: unknown, random: Random): unknown {
  if (typeof value === 'bigint') return pick(LONGS, random);
  if (typeof value === 'number') return pick([...NUMBERS, value + 1, value - 1, -value, value * 2], random);
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'string') return random.integer(3) === 0 ? value.slice(1) : pick(TEXTS, random);
  if (value instanceof Uint8Array) return mutatedBytes(value, new Uint8Array(8).fill(255), random);
  return value;
}
