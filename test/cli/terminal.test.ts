/** What reaches the terminal: nothing of a file's name, a model's metadata or a message can steer it. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { printJsonLine } from '../../src/cli/io.ts';
import { run } from '../../src/cli/program.ts';
import { progressLine } from '../../src/cli/progress.ts';
import { escapeControls } from '../../src/errors.ts';
import { csvText, jsonText } from '../../src/jobs/document.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { escapeHtml } from '../../src/pages/html.ts';

/** Clears the screen, sets the title (C1), rings, returns, and reverses what follows. */
const HOSTILE = 'a\u001b[2J\u009b1m\u0007\r\n\u202egnp.\u2066\u200b\u2028z';
const HARMLESS = 'a\\x1b[2J\\x9b1m\\x07\\x0d\\x0a\\u202egnp.\\u2066\\u200b\\u2028z';
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const STEERING = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rgi-terminal-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function rgi(...words: string[]) {
  let [out, err] = ['', ''];
  const code = await run(words, {
    out: (text) => (out += text),
    err: (text) => (err += text),
    terminal: false,
    colour: false,
    signal: new AbortController().signal,
    worker: false,
  });
  return { code, out, err };
}

describe('control characters and bidirectional controls', () => {
  test('are escaped, other letters are not', () => {
    expect(escapeControls(HOSTILE)).toBe(HARMLESS);
    expect(escapeControls('Gänseblümchen 雛菊 🌼.png')).toBe('Gänseblümchen 雛菊 🌼.png');
    expect(escapeControls('\ud800')).toBe('\\ud800');
  });

  test('in the name of a file', async () => {
    const { err } = await rgi('restore', `${HOSTILE}.png`, '-g', 'g.onnx', '-o', path.join(folder, 'o'));
    // A message is one line: its line breaks are blanks.
    const blanks = HARMLESS.replace('\\x0d\\x0a', ' ').replace('\\u2028', ' ');
    expect(err).toBe(`error: ${blanks}.png does not exist.\n`);
    const unknown = await rgi('restore', '--\u001b[2J');
    expect(unknown.err).not.toMatch(STEERING);
  });

  test('in the metadata and the names of a model, shown by inspect; as JSON they keep their value', async () => {
    const b = new GraphBuilder();
    b.node('Tanh', [`z\u001b[31m`], {}, [`y\u202e`]);
    const graph = b.graph(
      'odd',
      [{ name: `z\u001b[31m`, type: 'float32', dims: ['N', 4] }],
      [{ name: `y\u202e`, type: 'float32', dims: ['N', 4] }],
    );
    const file = path.join(folder, 'odd.onnx');
    await writeFile(file, encodeModel(graph, new Map([['key\u009b', HOSTILE]])));
    const shown = await rgi('inspect', file);
    expect(shown.code).toBe(0);
    expect(shown.out).toContain('key\\x9b = a\\x1b[2J');
    expect(shown.out).not.toMatch(STEERING);
    const json = await rgi('inspect', file, '--json');
    expect(json.out).not.toMatch(STEERING);
    expect((JSON.parse(json.out) as { metadata: unknown }).metadata).toEqual({ 'key\u009b': HOSTILE });
  });

  test('in progress, JSON, CSV and HTML', () => {
    let drawn = '';
    const io = {
      out: () => {},
      err: (text: string) => (drawn += text),
      terminal: true,
      colour: false,
      signal: new AbortController().signal,
      worker: false,
    };
    progressLine(io, false).show(1, 2, HOSTILE);
    expect(drawn.replace('\r\u001b[K', '')).toBe(` 50%  0 s left  ${HARMLESS}`);
    expect(jsonText({ name: HOSTILE })).not.toMatch(STEERING);
    expect(JSON.parse(jsonText({ name: HOSTILE }))).toEqual({ name: HOSTILE });
    let line = '';
    printJsonLine({ ...io, out: (text) => (line += text) }, { name: HOSTILE });
    expect(line).not.toMatch(STEERING);
    expect(csvText([[HOSTILE, 1]])).toBe(`${HARMLESS},1\n`);
    expect(escapeHtml('\u001b[2J\u202e<b>')).toBe('\ufffd[2J\ufffd&lt;b&gt;');
  });

  test('have one way out: no command writes to the streams itself', () => {
    const files = readdirSync('src/cli', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const direct = files.filter((file) => /\bio\.(out|err)\(/.test(readFileSync(path.join('src/cli', file), 'utf8')));
    expect(direct.sort()).toEqual(['failures.ts', 'io.ts', 'progress.ts']);
  });
});
