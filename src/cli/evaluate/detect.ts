/** `rgi evaluate detect`: reads the set, resolves the methods, runs the protocol, writes the tables. */
import { trainingSource } from '../../detect/node/good-pictures.ts';
import { parseDetectors } from '../../evaluate/detect/methods.ts';
import { type DetectJob, evaluateDetect } from '../../evaluate/node/detect.ts';
import { findDetectionSet } from '../../evaluate/node/detection-layouts.ts';
import { type EvaluationFolder, notOwn, openEvaluation } from '../../evaluate/node/folder.ts';
import { createRuntime } from '../../runtime/node/index.ts';
import type { ExitCode } from '../failures.ts';
import type { Io } from '../io.ts';
import { checkFolder } from '../restore/command.ts';
import { commandLine, type Head, reporter } from './common.ts';
import { loadSet } from './detect-data.ts';
import { DETECT_METHODS, type DetectFlags } from './detect-flags.ts';
import { detectorCandidate, openDetectorFile, sharedShape } from './detector-file.ts';
import { candidateOf, checkNeeds, openDetectModel, pictureShape } from './detectors.ts';

/** A detector file that is given is evaluated; alone, unless other methods are named. */
function methodsOf({ methods, detector }: DetectFlags): readonly string[] {
  if (detector === undefined) return methods ?? DETECT_METHODS;
  return methods?.includes('detector') ? methods : [...(methods ?? []), 'detector'];
}

export async function evaluateDetectCommand(data: string, given: DetectFlags, io: Io): Promise<ExitCode> {
  const flags = { ...given, methods: methodsOf(given) };
  // Everything that can be wrong without a network is said before one is opened.
  const named = parseDetectors(flags.methods, flags.seed);
  checkNeeds(named, flags);
  const found = await findDetectionSet(data, flags.dataLayout);
  const set = { ...found, train: notOwn(found.train, flags.out), test: notOwn(found.test, flags.out) };
  await checkFolder(flags.out);
  const runtime = await createRuntime({ device: flags.device, threads: flags.threads, worker: io.worker });
  let folder: EvaluationFolder | undefined;
  try {
    folder = await openEvaluation(flags.out, 'detect', flags);
    const model = await openDetectModel(runtime, named, flags);
    const file = flags.detector === undefined ? undefined : await openDetectorFile(flags.detector, flags);
    const candidates = [];
    for (const one of named)
      candidates.push(
        one.kind === 'detector'
          ? detectorCandidate(one.name, file!, runtime)
          : await candidateOf(one, runtime, model, flags),
      );
    const shape = sharedShape(await pictureShape(named, model), file);
    const loaded = await loadSet(set, shape, model && trainingSource(model.opened.model), flags);
    const description = {
      data: loaded.hash,
      size: loaded.good.dims.slice(1),
      fit: flags.fit,
      grey: flags.grey,
      held: loaded.held.dims[0],
    };
    const job: DetectJob = {
      set: set.name,
      description,
      good: loaded.good,
      held: loaded.held,
      test: loaded.test,
      candidates,
      falseAlarm: flags.pixelFalseAlarms,
      seed: flags.seed,
      keep: flags.pictures,
      snapshots: flags.snapshots,
      snapshotSteps: flags.snapshotSteps,
    };
    const head: Head = {
      kind: 'detect',
      command: commandLine(['evaluate', 'detect', data], { ...flags }),
      settings: {
        ...description,
        data,
        layout: set.layout,
        generator: model?.description,
        learnt: loaded.good.dims[0],
        tested: loaded.test.length,
        falseAlarm: flags.pixelFalseAlarms,
      },
      methods: Object.fromEntries(candidates.map((one) => [one.name, one.description])),
      notes: [...set.notes, ...(model ? [...model.opened.notes, ...model.networks.notes] : []), ...loaded.notes],
      failed: loaded.failed,
    };
    const report = reporter(head, folder, runtime, flags, io);
    const outcome = await evaluateDetect(job, folder, {
      signal: io.signal,
      onProgress: report.progress,
      onFailure: report.failure,
      onGroup: report.group,
    });
    return await report.end(outcome.results, outcome.records, outcome.complete);
  } finally {
    await folder?.close();
    await runtime.dispose();
  }
}
