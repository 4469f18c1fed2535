/** The page as text: sound HTML, nothing hostile comes through, nothing leaves it, everything has a name. */
import { createHash } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { escapeHtml } from '../../src/pages/html.ts';
import { reportPage } from '../../src/report/page.ts';
import { HOSTILE, madeReport, madeResults, madeTrials, PIXEL } from './made.ts';

let page: string;
beforeAll(async () => {
  page = await reportPage(madeReport());
});

test('tags are closed in order, attributes are quoted, ids are there once', () => {
  expect(unsound(page)).toEqual([]);
  const ids = [...page.matchAll(/\sid="([^"]*)"/g)].map((match) => match[1]);
  expect(new Set(ids).size).toBe(ids.length);
  for (const [, id] of page.matchAll(/(?:href="#|aria-labelledby=")([^"]*)"/g)) expect(ids).toContain(id);
});

test('a hostile file name is text everywhere', () => {
  expect(page.includes(escapeHtml(HOSTILE))).toBe(true);
  expect(page.match(/<script/g)).toHaveLength(1);
  const names = page.replace(/="[^"]*"/g, '');
  expect(names.match(/<[^>]*\son[a-z]+/g)).toBeNull();
  expect(page.includes('<img src=x')).toBe(false);
});

test('nothing is fetched, and the policy allows no more than the page itself', () => {
  expect(page.match(/\b(?:src|href)="(?!data:|#)[^"]*/g)).toBeNull();
  expect(page.match(/url\(|@import|style="/g)).toBeNull();
  const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  const between = (tag: string) => page.match(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`))![1];
  expect(page).toContain(
    `content="default-src 'none'; img-src data:; style-src ${hash(between('style'))}; script-src ${hash(between('script'))}; base-uri 'none'; form-action 'none'"`,
  );
});

test('pictures have a text, tables have heads and names, the best is said and not only shown', () => {
  const images = page.match(/<img[^>]*>/g)!;
  expect(images.length).toBe(2 * (3 * (3 + 3 * 4) + 3 * 3 * 2));
  for (const image of images) expect(image).toMatch(/ alt="[^"]+"/);
  for (const [table] of page.matchAll(/<table class[\s\S]*?<\/table>/g)) {
    expect(table).toMatch(/aria-label="[^"]+"/);
    expect(table).toMatch(/<th scope="col"/);
    expect(table).toMatch(/<th scope="row"/);
  }
  for (const landmark of [
    '<html lang="en">',
    '<header class="top">',
    '<nav aria-label',
    '<main id="main">',
    '<footer>',
  ])
    expect(page).toContain(landmark);
  expect(page).toMatch(/<strong>21\.00<span class="hidden"> \(best\)<\/span><\/strong>/);
  const charts = page.match(/<svg[^>]*role="img"[^>]*>/g)!;
  // Of two cases each the scores, the loss and the masked share.
  expect(charts).toHaveLength(6);
  for (const chart of charts) expect(chart).toMatch(/aria-label="[^"]+"/);
});

test('a method is compared with the first on the same pictures', () => {
  expect(page).toMatch(/<td data-value="-2">-2\.00<span class="interval">-2\.00 to -2\.00<\/span><\/td>/);
});

test('an evaluation without pictures, one of nothing, and one that is not complete', async () => {
  const trials = madeTrials().map(({ pictures, snapshots, history, ...rest }) => rest);
  const bare = await reportPage({ ...madeReport(trials), embedded: new Map() });
  expect(unsound(bare)).toEqual([]);
  expect(bare).not.toContain('<img');
  const results = { ...madeResults([]), complete: false };
  const empty = await reportPage({ ...madeReport([]), results, embedded: new Map() });
  expect(unsound(empty)).toEqual([]);
  expect(empty).toContain('There are no results yet.');
  expect(empty).toContain('Not complete:');
});

test('the page is little more than its pictures', async () => {
  const many = madeTrials(Array.from({ length: 20 }, (_, i) => `${i}.png`));
  const report = madeReport(many);
  const bytes = new TextEncoder().encode(await reportPage(report)).length;
  const uses = 2 * (20 * (3 + 3 * 4) + 3 * 3 * 2);
  expect(bytes).toBeLessThan(60_000 + uses * (PIXEL.length + 320));
});

const VOID = new Set(['meta', 'img', 'br', 'input']);

/** What a strict reader of HTML would complain of. */
function unsound(text: string): string[] {
  const complaints: string[] = [];
  const open: string[] = [];
  const body = text.replace(/^<!doctype html>/, '').replace(/(<(?:style|script)>)[\s\S]*?(<\/)/g, '$1$2');
  for (const [tag, slash, name, attributes, closed] of body.matchAll(
    /<(\/?)([a-z][a-z0-9]*)((?:\s[^<>]*?)?)(\/?)>/gi,
  )) {
    if (slash) {
      if (open.pop() !== name) complaints.push(`</${name}> closes something else`);
    } else {
      if (!/^(?:\s+[\w:-]+(?:="[^"]*")?)*\s*$/.test(attributes)) complaints.push(`odd attributes: ${tag}`);
      if (!VOID.has(name) && !closed) open.push(name);
    }
  }
  const loose = body.replace(/<\/?[a-z][^<>]*>/gi, '');
  if (/[<>]/.test(loose)) complaints.push('a bare < or >');
  return [...complaints, ...open.map((name) => `<${name}> is not closed`)];
}
