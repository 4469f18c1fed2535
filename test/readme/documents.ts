/** The Markdown documents of the repository, and what the tests read from them: links, anchors, commands. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const ROOT = path.resolve(import.meta.dirname, '../..');

export interface Document {
  /** Relative to the repository. */
  readonly file: string;
  readonly text: string;
}

/** Every document that a reader of the repository meets: in its root, and below `docs` and `models`. */
export function documents(): Document[] {
  const inRoot = readdirSync(ROOT);
  const below = ['docs', 'models'].flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) => path.join(folder, file)),
  );
  return [...inRoot, ...below]
    .filter((file) => file.endsWith('.md'))
    .sort()
    .map((file) => ({ file, text: readFileSync(path.join(ROOT, file), 'utf8') }));
}

/** Targets of links and pictures `[text](target)`, without those inside code. */
export function linksOf(text: string): string[] {
  return [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
}

/** The anchors that GitHub gives to the headings. */
export function anchorsOf(text: string): string[] {
  const seen = new Map<string, number>();
  const headings = [...withoutBlocks(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => heading);
  return headings.map((heading) => {
    const slug = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    return before === 0 ? slug : `${slug}-${before}`;
  });
}

/** Lines of shell in fenced and indented blocks, and inline code: continuation lines joined, comments and `npx` removed, split at `&&`, `;`. */
export function commandsOf(text: string): string[] {
  const fenced = [...text.matchAll(/^```(?:sh)?\n([\s\S]*?)^```$/gm)].map(([, block]) => block);
  const indented = withoutFences(text)
    .split('\n')
    .filter((line) => line.startsWith('    '))
    .join('\n');
  const lines = [...fenced, indented].flatMap((block) => block.replace(/\\\n\s*/g, '').split('\n'));
  const inline = [...withoutBlocks(text).matchAll(/`([^`]+)`/g)].map(([, code]) => code.replace(/\s+/g, ' '));
  return [...lines, ...inline]
    .map((line) => line.replace(/\s#.*$/, ''))
    .flatMap((line) => line.split(/&&|;/))
    .map((line) => line.trim().replace(/^npx rgi\b/, 'rgi'))
    .filter((line) => line.length > 0);
}

/** The words of a command, as a shell reads them; quotes group words. */
export function wordsOf(command: string): string[] {
  return [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare,
  );
}

function withoutFences(text: string): string {
  return text.replace(/^```[\s\S]*?^```$/gm, '');
}

function withoutBlocks(text: string): string {
  return withoutFences(text).replace(/^ {4}.*$/gm, '');
}

function withoutCode(text: string): string {
  return withoutBlocks(text).replace(/`[^`]*`/g, '');
}
