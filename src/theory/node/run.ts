/** The experiments on files: `theory.json` grows cell by cell, so that an interrupted run keeps all it finished. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { RgiError } from '../../errors.ts';
import { hashOfData } from '../../jobs/node/program.ts';
import { writeFileAtomic } from '../../images/node/write.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { runCell } from '../experiment.ts';
import { theoryPage } from '../page.ts';
import { nameOf, type Plan, workOf } from '../plan.ts';
import type { Cell, Theory } from '../record.ts';
import type { CellHooks, Setting } from '../setting.ts';
import { csvOf } from '../tables.ts';

export interface TheoryJob {
  readonly folder: string;
  readonly plans: readonly Plan[];
  readonly setting: Setting;
  /** All that the numbers depend on beside a cell's own plan, as data. */
  readonly description: unknown;
  /** What earlier runs finished, by key. */
  readonly known: ReadonlyMap<string, Cell>;
  readonly theory: (cells: readonly Cell[], complete: boolean) => Theory;
}

export interface TheoryHooks {
  readonly onProgress?: (done: number, total: number, what: string) => void;
  readonly onCell?: (cell: Cell, what: string) => void;
  readonly signal?: AbortSignal;
}

const FILE = 'theory.json';

/** The cells of an earlier run in the folder. Throws `usage` where there are some and `resume` is not set. */
export async function knownCells(folder: string, resume: boolean): Promise<ReadonlyMap<string, Cell>> {
  const file = path.join(folder, FILE);
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return new Map();
  if (!resume) {
    throw new RgiError('usage', `${folder} already holds ${FILE}; go on with --resume, or take another --out.`, {
      file: folder,
    });
  }
  try {
    return new Map((JSON.parse(text) as Theory).cells.map((cell) => [cell.key, cell]));
  } catch {
    throw new RgiError('input', `${file} cannot be read as an earlier run: take another --out.`, { file });
  }
}

/**
 * Runs what is missing, and writes `theory.json`, `theory.csv` and `theory.html`; an aborted run too. Throws `usage` where
 * cells that are known are not of these plans.
 */
export async function runTheory(job: TheoryJob, runtime: Runtime, hooks: TheoryHooks = {}): Promise<Theory> {
  const { plans, setting, folder, known } = job;
  const shared: Pick<CellHooks, 'compiled' | 'poolImages'> = { compiled: new Map(), poolImages: new Map() };
  const total = plans.reduce((sum, plan) => sum + workOf(plan, setting), 0);
  const parts = plans.map((plan) => ({ plan, key: hashOfData([job.description, plan]) }));
  checkKnown(known, new Set(parts.map(({ key }) => key)), folder);
  const finished = new Map(known);
  const cells = () => parts.flatMap(({ key }) => finished.get(key) ?? []);
  let before = 0;
  for (const { plan, key } of parts) {
    const what = nameOf(plan);
    const onProgress = (done: number) => hooks.onProgress?.(before + done, total, what);
    if (!finished.has(key)) {
      const cell = await runCell(plan, key, setting, runtime, { ...shared, ...hooks, onProgress });
      if (!cell) break;
      finished.set(key, cell);
      await writeTheory(folder, job.theory(cells(), false));
      hooks.onCell?.(cell, what);
    }
    before += workOf(plan, setting);
  }
  const theory = job.theory(cells(), finished.size === parts.length);
  await writeTheory(folder, theory);
  await writeFileAtomic(path.join(folder, 'theory.csv'), csvOf(theory));
  await writeFileAtomic(path.join(folder, 'theory.html'), await theoryPage(theory));
  return theory;
}

/** What an earlier run finished is not thrown away because this one asks for something else. */
function checkKnown(known: ReadonlyMap<string, Cell>, wanted: ReadonlySet<string>, folder: string): void {
  const others = [...known.keys()].filter((key) => !wanted.has(key)).length;
  if (others === 0) return;
  throw new RgiError(
    'usage',
    `${path.join(folder, FILE)} holds ${others} finished cells that this run would not make (of another generator, other settings or experiments): take another --out.`,
    { file: folder },
  );
}

/** A line per cell: the file can be read by eye and by `grep`. */
async function writeTheory(folder: string, { cells, ...rest }: Theory): Promise<void> {
  const head = JSON.stringify(rest, null, 2).slice(0, -2);
  const lines = cells.map((cell) => JSON.stringify(cell)).join(',\n');
  await writeFileAtomic(path.join(folder, FILE), `${head},\n  "cells": [\n${lines}\n]}\n`);
}
