/** The demo as a function: models and a folder in, progress and one page out. */
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { EXIT, type ExitCode } from '../src/cli/failures.ts';
import { type Io, say } from '../src/cli/io.ts';
import { progressLine } from '../src/cli/progress.ts';
import { maskToImage } from '../src/images/image.ts';
import { writeFileAtomic } from '../src/images/node/write.ts';
import { createRuntime } from '../src/runtime/node/index.ts';
import type { Runtime } from '../src/runtime/runtime.ts';
import { decibels, type Figures, figuresOf } from './figures.ts';
import { type InspectionPlan, inspectSamples } from './inspection.ts';
import { openShipped } from './models.ts';
import { demoPage, type RestoredSet } from './page.ts';
import { type RestoredPicture, type Restorer, restorePictures, restorerOf, wayOf } from './restoration.ts';
import { creditOf, inspectionView, pngUrl, type SearchView, viewOf } from './views.ts';

/** What is restored: the i-th picture of a model with the i-th case. */
export interface DemoSet {
  readonly model: string;
  readonly title: string;
  readonly cases: readonly string[];
}

export interface DemoPlan {
  /** Folder of the models. */
  readonly models: string;
  readonly sets: readonly DemoSet[];
  /** The picture of the first set whose search is shown, and how many steps of it. */
  readonly search: { readonly index: number; readonly frames: number };
  readonly inspection: InspectionPlan;
  readonly seed: number;
  /** Folder that the page is written to. */
  readonly out: string;
}

export interface DemoResult {
  readonly exitCode: ExitCode;
  readonly file?: string;
  readonly figures?: Figures;
}

export async function runDemo(plan: DemoPlan, io: Io): Promise<DemoResult> {
  const started = performance.now();
  const runtime = await createRuntime({ worker: io.worker });
  try {
    return await demoOn(runtime, plan, io, () => (performance.now() - started) / 1000);
  } finally {
    await runtime.dispose();
  }
}

async function demoOn(runtime: Runtime, plan: DemoPlan, io: Io, elapsed: () => number): Promise<DemoResult> {
  const line = progressLine(io, false);
  const tell = (text: string) => {
    line.clear();
    say(io, text);
  };
  const parts = plan.sets.length + 1;
  const sets: RestoredSet[] = [];
  let search: SearchView | undefined;
  for (const [k, { model: name, title, cases }] of plan.sets.entries()) {
    const model = await openShipped(plan.models, name, runtime);
    const restorer = restorerOf(model);
    tell(`Restoring ${Math.min(cases.length, model.pictures.length)} pictures of '${name}'; no mask is given ...`);
    const hooks = {
      signal: io.signal,
      onProgress: (share: number) => line.show(k + share, parts, `restoring '${name}'`),
    };
    const restored = await restorePictures(restorer, cases, plan.seed, runtime, hooks);
    if (!restored) return interrupted(tell);
    for (const picture of restored) tell(`  ${lineOf(picture)}`);
    sets.push({ name, title, credit: creditOf(model), items: await Promise.all(restored.map(viewOf)) });
    if (k > 0) continue;
    search = await searchView(plan, restorer, restored, sets[0], runtime, io.signal);
    if (!search) return interrupted(tell);
  }
  tell(`Inspecting ${plan.inspection.defective + plan.inspection.good} samples of '${plan.inspection.model}' ...`);
  const inspected = await inspectSamples(plan.models, plan.inspection, plan.seed, runtime, {
    signal: io.signal,
    onProgress: (share) => line.show(sets.length + share, parts, `inspecting '${plan.inspection.model}'`),
  });
  if (!inspected) return interrupted(tell);
  const inspection = await inspectionView(inspected);
  const items = sets.flatMap((set) => set.items);
  const figures = figuresOf(items, elapsed(), inspection);
  const file = path.resolve(plan.out, 'index.html');
  const machine = `${availableParallelism()} cores (${runtime.device}), Node ${process.versions.node}, ONNX Runtime ${runtime.version}`;
  await writeFileAtomic(file, await demoPage({ sets, search, inspection, figures, machine }));
  line.clear();
  for (const text of summaryOf(figures, file)) say(io, text);
  return { exitCode: EXIT.done, file, figures };
}

function interrupted(tell: (text: string) => void): DemoResult {
  tell('Interrupted; nothing was written.');
  return { exitCode: EXIT.interrupted };
}

/** Undefined if interrupted. */
async function searchView(
  { search }: DemoPlan,
  restorer: Restorer,
  restored: readonly RestoredPicture[],
  { items }: RestoredSet,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<SearchView | undefined> {
  const frames = await wayOf(restorer, restored[search.index], search.frames, runtime, signal);
  if (frames.length === 0) return undefined;
  return {
    title: items[search.index].title,
    input: items[search.index].pictures.input,
    frames: await Promise.all(
      frames.map(async ({ step, restored, mask }) => ({
        step,
        restored: await pngUrl(restored),
        mask: await pngUrl(maskToImage(mask)),
      })),
    ),
  };
}

function lineOf({ case: name, psnr, iou, restoration }: RestoredPicture): string {
  const numbers = `PSNR ${decibels(psnr.before).padStart(4)} -> ${decibels(psnr.restored)} dB, mask IoU ${iou.toFixed(2)}`;
  return `${name.padEnd(10)} ${numbers}, ${restoration.seconds.toFixed(1)} s`;
}

function summaryOf(figures: Figures, file: string): string[] {
  const { pictures, before, restored, iou, secondsPerPicture, seconds, inspection } = figures;
  return [
    `Restored ${pictures} pictures: median PSNR ${decibels(before)} -> ${decibels(restored)} dB, mask IoU ${iou.toFixed(2)}, ${secondsPerPicture.toFixed(1)} s each.`,
    ...(inspection
      ? [
          `Marked ${inspection.marked} of ${inspection.defects} drawn defects (${inspection.found} above the limit of a defective picture), passed ${inspection.passed} of ${inspection.good} good samples; pixel AUROC ${inspection.pixelAuroc.toFixed(3)}.`,
        ]
      : []),
    `Everything took ${seconds.toFixed(0)} s.`,
    `Open ${file}`,
  ];
}
