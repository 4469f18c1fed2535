/**
 * What does a folder cost that is not clean, and what does --contaminated give back? Defective test pictures are mixed into the training
 * folder under names that do not tell; the model, its policy and the table are made by the program with its defaults, three times: without
 * them (clean), with them (as it is), with them and --contaminated. The other half of the defective pictures is what is evaluated.
 *
 *   npm run bench -- contaminated SET_FOLDER --work FOLDER [--shares 0,0.1,0.25] [--seeds 1] [--size 128] [--kinds clean,dirty,screened]
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'csv-parse/sync';
import { run } from '../src/cli/program.ts';
import { auroc } from '../src/metrics/ranking.ts';
import { randomFrom } from '../src/random.ts';
import { argument } from './trials.ts';

export interface Mixed {
  /** Files of good pictures, of defective ones among them, and of defective ones that are evaluated. */
  readonly good: readonly string[];
  readonly bad: readonly string[];
  readonly judged: readonly string[];
}

export async function contaminated(args: readonly string[]): Promise<void> {
  const set = path.resolve(args[0]);
  const work = path.resolve(argument(args, 'work', 'contaminated'));
  const numbers = (name: string, value: string) => argument(args, name, value).split(',').map(Number);
  const size = argument(args, 'size', '128');
  const kinds = argument(args, 'kinds', 'clean,dirty,screened').split(',');
  for (const share of numbers('shares', '0,0.1,0.25')) {
    for (let seed = 0; seed < numbers('seeds', '1')[0]; seed++) {
      const mixed = mixedOf(set, share, seed);
      for (const kind of kinds) {
        const root = path.join(work, `${path.basename(set)}-${share}-${seed}-${kind}`);
        const figures = await figuresOf(set, root, mixed, kind, size);
        console.log(
          `${share} defective, seed ${seed}, ${mixed.good.length} + ${mixed.bad.length}, ${kind}: ${figures}`,
        );
      }
    }
  }
}

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

/** As many of both as the share allows, and `limit` good ones at most; half of the defective pictures are never mixed in. */
export function mixedOf(set: string, share: number, seed: number, limit = Number.POSITIVE_INFINITY): Mixed {
  const random = randomFrom(seed);
  const shuffled = (all: readonly string[]) => [...random.sample(all.length, all.length)].map((i) => all[i]);
  const defective = shuffled(
    readdirSync(path.join(set, 'test'))
      .filter((kind) => kind !== 'good')
      .flatMap((kind) => files(path.join(set, 'test', kind))),
  );
  const good = shuffled(files(path.join(set, 'train', 'good'))).slice(0, limit);
  const half = defective.length >> 1;
  const most = share > 0 ? Math.min(good.length, Math.round((half * (1 - share)) / share)) : good.length;
  const count = Math.round((most * share) / (1 - share));
  return { good: good.slice(0, most), bad: defective.slice(0, count), judged: defective.slice(half) };
}

/** A folder of links to pictures, as training finds them; names tell groups (films, boards), as where nobody has looked through. */
export function linkedFolder(folder: string, { good, bad }: Pick<Mixed, 'good' | 'bad'>, learnt: readonly string[]) {
  const taken = new Set(good.map((file) => path.basename(file)));
  const nameOf = (file: string) => {
    const { name, ext } = path.parse(file);
    return bad.includes(file) && taken.has(`${name}${ext}`) ? `${name}b${ext}` : `${name}${ext}`;
  };
  mkdirSync(folder, { recursive: true });
  for (const file of learnt) symlinkSync(file, path.join(folder, nameOf(file)));
  return nameOf;
}

async function figuresOf(set: string, root: string, mixed: Mixed, kind: string, size: string): Promise<string> {
  rmSync(root, { recursive: true, force: true });
  const train = path.join(root, 'set', 'train', 'good');
  const nameOf = linkedFolder(train, mixed, kind === 'clean' ? mixed.good : [...mixed.good, ...mixed.bad]);
  for (const file of [...mixed.judged, ...files(path.join(set, 'test', 'good'))]) {
    const to = path.join(root, 'set', path.relative(set, file));
    mkdirSync(path.dirname(to), { recursive: true });
    symlinkSync(file, to);
  }
  symlinkSync(path.join(set, 'ground_truth'), path.join(root, 'set', 'ground_truth'));
  const model = path.join(root, 'model.onnx');
  await rgi('train', train, '--out', model, '--size', size, ...(kind === 'screened' ? ['--contaminated'] : []));
  await rgi('calibrate', train, '-g', model);
  const table = path.join(root, 'table');
  const told = await rgi(
    'evaluate',
    'detect',
    path.join(root, 'set'),
    '-g',
    model,
    '--methods',
    'policy',
    '--out',
    table,
  );
  const line = /all defects, policy: (.*)/.exec(told)?.[1] ?? told.slice(-200);
  return `${line}${kind === 'screened' ? screenedFigures(root, mixed, nameOf) : ''}`;
}

/** How the screening ranks the pictures, and what it left out. */
function screenedFigures(root: string, { bad }: Mixed, nameOf: (file: string) => string): string {
  const list = path.join(root, 'model.training', 'suspects.csv');
  if (!existsSync(list)) return '';
  const rows: { name: string; score: string; defective: string }[] = parse(readFileSync(list), { columns: true });
  const names = new Set(bad.map(nameOf));
  const [b, g] = [rows.filter(({ name }) => names.has(name)), rows.filter(({ name }) => !names.has(name))];
  const out = (some: typeof rows) => some.filter(({ defective }) => defective === 'yes').length;
  const scores = rows.map(({ score }) => Number(score));
  const area = auroc(
    rows.map(({ name }) => (names.has(name) ? 1 : 0)),
    scores,
  );
  return `; screening: AUROC ${area.toFixed(3)}, left out ${out(b)} of ${b.length} defective and ${out(g)} of ${g.length} good`;
}

async function rgi(...argv: string[]): Promise<string> {
  const err: string[] = [];
  const code = await run(argv, {
    out: () => {},
    err: (text) => err.push(text),
    terminal: false,
    colour: false,
    signal: new AbortController().signal,
    worker: true,
  });
  if (code !== 0) throw new Error(`rgi ${argv.join(' ')}: ${err.join('').slice(-500)}`);
  return err.join('');
}
