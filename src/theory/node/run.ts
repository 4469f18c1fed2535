/** The experiments on files: a job whose items are cells; `theory.json` and the rest are derived from its journal. */
import { reuse } from '../../inversion/compile/reuse.ts';
import type { Job, JobEvent } from '../../jobs/job.ts';
import { openRunFolder, type RunFolder } from '../../jobs/node/folder.ts';
import { hashOfData } from '../../jobs/node/program.ts';
import { runJob } from '../../jobs/run.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { CELL_RULES, runCell } from '../experiment.ts';
import { theoryPage } from '../page.ts';
import { nameOf, type Plan, workOf } from '../plan.ts';
import type { Cell, Theory } from '../record.ts';
import { cellSchema } from '../record-schema.ts';
import type { CellHooks, Setting } from '../setting.ts';
import { csvOf } from '../tables.ts';

/** What `runTheory` is given. */
export interface TheoryJob {
  /** Where `theory.json` and `theory.csv` are written, after each cell. */
  readonly folder: string;
  /** The cells to compute, in this order (`planOf`). */
  readonly plans: readonly Plan[];
  /** What all cells share (`prepareSetting`). */
  readonly setting: Setting;
  /** Everything that the numbers depend on besides a cell's own plan, as data. */
  readonly description: unknown;
  /** The document of these cells. */
  readonly theory: (cells: readonly Cell[], complete: boolean) => Theory;
  /** Take over the cells of earlier runs of the same description; without it, a folder that holds any is refused. */
  readonly resume?: boolean;
  /** Remove what an earlier run wrote, and start again. */
  readonly overwrite?: boolean;
}

/** Called while `runTheory` works. */
export interface TheoryHooks {
  /** In steps of one search. */
  readonly onProgress?: (done: number, total: number, what: string) => void;
  /** A cell that was computed now. */
  readonly onCell?: (cell: Cell, what: string) => void;
  /** What could not be written and ends nothing. */
  readonly onWarning?: (message: string) => void;
  /** Aborted: the current cell is discarded, finished ones are kept. */
  readonly signal?: AbortSignal;
}

const FILES = { theory: 'theory.json', table: 'theory.csv', page: 'theory.html' } as const;

/**
 * Runs what is missing, and writes `journal.jsonl`, `theory.json`, `theory.csv` and `theory.html`; an aborted run too. Throws `usage`
 * where the folder is in use, or holds cells of another description.
 */
export async function runTheory(job: TheoryJob, runtime: Runtime, hooks: TheoryHooks = {}): Promise<Theory> {
  const folder = await openRunFolder<Cell>(job.folder, {
    kind: 'theory',
    key: hashOfData(job.description),
    guarded: true,
    rules: CELL_RULES,
    record: cellSchema,
    derived: Object.values(FILES),
    resume: job.resume,
    overwrite: job.overwrite,
  });
  try {
    const wanted = job.plans.map((plan) => cellKey(job, plan));
    const document = async (complete: boolean) => job.theory(await cellsOf(folder, wanted), complete);
    // What is returned is what was saved: made anew, its seconds could differ.
    let theory: Theory | undefined;
    const { interrupted } = await runJob(cellsJob(job, runtime, hooks), folder, {
      resume: true,
      signal: hooks.signal,
      onEvent: eventsTo(job, hooks),
      async save(complete) {
        theory = await document(complete);
        await folder.derive(FILES.theory, theoryText(theory));
      },
    });
    theory ??= await document(!interrupted);
    await folder.derive(FILES.table, csvOf(theory));
    await folder.derive(FILES.page, await theoryPage(theory));
    return theory;
  } finally {
    await folder.close();
  }
}

/** The plan's `maskGiven` is hashed under its old name, so that the cells of earlier runs keep their keys. */
function cellKey({ description }: TheoryJob, plan: Plan): string {
  const hashed = Object.entries(plan).map(([name, value]) => [name === 'maskGiven' ? 'told' : name, value]);
  return hashOfData([description, Object.fromEntries(hashed)]);
}

/** Cells in the order of the plans, and then those that other experiments left in the folder. */
async function cellsOf(folder: RunFolder<Cell>, wanted: readonly string[]): Promise<Cell[]> {
  const all = new Map<string, Cell>();
  for await (const { item, status, record } of folder.entries()) if (status === 'done') all.set(item, record);
  const first = wanted.flatMap((key) => all.get(key) ?? []);
  for (const key of wanted) all.delete(key);
  return [...first, ...all.values()];
}

interface Item {
  readonly plan: Plan;
  readonly key: string;
}

function cellsJob(job: TheoryJob, runtime: Runtime, hooks: TheoryHooks): Job<Item, Item, Cell, Cell> {
  const { plans, setting } = job;
  const shared: Pick<CellHooks, 'reuse'> = { reuse: reuse() };
  return {
    kind: 'theory',
    key: hashOfData(job.description),
    rules: CELL_RULES,
    async *items() {
      for (const [i, plan] of plans.entries()) {
        const key = cellKey(job, plan);
        yield { name: key, source: nameOf(plan), content: key, item: { plan, key }, left: plans.length - 1 - i };
      }
    },
    batch: 1,
    even: false,
    together: true,
    // The page needs every cell: one that cannot be kept ends the run, which can be resumed.
    alone: true,
    load: async ({ item }) => item,
    async *run([{ plan, key }], report) {
      const work = workOf(plan, setting);
      const onProgress = (done: number) => report(done / work, nameOf(plan));
      const cell = await runCell(plan, key, setting, runtime, { ...shared, signal: hooks.signal, onProgress });
      if (cell) yield cell;
    },
    write: async (_outputs, _planned, _item, cell) => ({ status: 'done', record: cell }),
    failed: () => {
      throw new Error('A cell that fails ends the run.');
    },
  };
}

/** Events with the progress in steps of one search, since cells differ by a hundred times. */
function eventsTo({ plans, setting }: TheoryJob, hooks: TheoryHooks) {
  const works = plans.map((plan) => workOf(plan, setting));
  const total = works.reduce((sum, work) => sum + work, 0);
  return (event: JobEvent<Cell>) => {
    if (event.kind === 'progress') {
      const cell = Math.floor(event.done);
      const before = works.slice(0, cell).reduce((sum, work) => sum + work, 0);
      hooks.onProgress?.(before + (event.done - cell) * (works[cell] ?? 0), total, event.what);
    } else if (event.kind === 'warning') hooks.onWarning?.(event.message);
    else if (event.kind === 'record' && !event.kept) hooks.onCell?.(event.entry.record, event.entry.source);
  };
}

/** A line per cell: the file can be read by eye and by `grep`. */
function theoryText({ cells, ...rest }: Theory): string {
  const head = JSON.stringify(rest, null, 2).slice(0, -2);
  const lines = cells.map((cell) => JSON.stringify(cell)).join(',\n');
  return `${head},\n  "cells": [\n${lines}\n]}\n`;
}
