/** `rgi doctor`: what is installed, which devices there are, and whether a generator can be inverted at all. */
import { median } from '../arrays/sort.ts';
import { clip, imageAt } from '../images/image.ts';
import { buildMethod } from '../inversion/methods/index.ts';
import { FAST } from '../inversion/methods/rgi.ts';
import { plannedSteps, restoreImages } from '../inversion/solve/restore.ts';
import { VERSION } from '../jobs/node/program.ts';
import { limited, psnr } from '../metrics/fidelity.ts';
import { type GeneratorFlags, openGeneratorFile } from '../models/node/networks.ts';
import { createRuntime, probeDevices } from '../runtime/node/index.ts';
import { EXIT, type ExitCode } from './failures.ts';
import { drawSamples } from './inspect.ts';
import { type Io, print, printJson, say } from './io.ts';
import type { RuntimeFlags } from './model-flags.ts';
import { progressLine } from './progress.ts';

export interface DoctorFlags extends Omit<GeneratorFlags, 'generator'>, RuntimeFlags {
  readonly generator?: string;
  readonly steps?: number;
  readonly seed: number;
  readonly json?: boolean;
}

const SAMPLES = 4;

/** What the median sample must reach, dB: far above any wrong gradient, below what a correct one gives. */
export const NEEDED_PSNR = 30;

interface Trial {
  readonly ok: boolean;
  readonly sentence: string;
  readonly psnr: readonly number[];
  readonly medianPsnr: number;
  readonly steps: number;
  readonly searches: number;
  readonly secondsPerStep: number;
  readonly seconds: number;
}

export async function doctor(flags: DoctorFlags, io: Io): Promise<ExitCode> {
  const devices = await probeDevices();
  const runtime = await createRuntime({ device: flags.device, threads: flags.threads, worker: io.worker });
  try {
    const versions = { rgi: VERSION, onnxruntime: runtime.version, node: process.versions.node };
    const platform = `${process.platform}-${process.arch}`;
    if (!flags.json) {
      print(io, `rgi ${VERSION}, ONNX Runtime ${runtime.version}, Node ${process.versions.node}, ${platform}`);
      for (const { device, available, reason } of devices) {
        print(io, `  ${device.padEnd(8)}${available ? 'yes' : 'no '}  ${reason}`);
      }
    }
    const trial =
      flags.generator === undefined ? undefined : await invertOwnSamples(runtime, flags.generator, flags, io);
    const ok = trial?.ok ?? true;
    if (flags.json)
      printJson(io, { ok, versions, platform, devices, ...(trial ? { generator: flags.generator, trial } : {}) });
    else if (trial && io.signal.aborted) say(io, trial.sentence);
    else if (trial) {
      print(io, flags.generator!);
      print(io, `  ${trial.sentence}`);
      print(
        io,
        `  PSNR ${trial.psnr.map((value) => value.toFixed(1)).join(', ')} dB; ${(1000 * trial.secondsPerStep).toFixed(1)} ms per step of ${trial.searches} searches; ${trial.seconds.toFixed(1)} s in all`,
      );
    }
    if (ok) return EXIT.done;
    if (io.signal.aborted) return EXIT.interrupted;
    say(io, `error: ${trial!.sentence}`);
    return EXIT.check;
  } finally {
    await runtime.dispose();
  }
}

/** Clean samples of the generator, without a mask: what is asked for is in its range, and must be found. */
async function invertOwnSamples(
  runtime: Awaited<ReturnType<typeof createRuntime>>,
  file: string,
  flags: DoctorFlags,
  io: Io,
): Promise<Trial> {
  const { generator } = await openGeneratorFile(runtime, { ...flags, generator: file });
  const images = await drawSamples(generator, runtime, SAMPLES, flags.seed + 1_000_003);
  const method = buildMethod(
    {
      method: 'rgi',
      preset: 'fast',
      steps: flags.steps,
      seed: flags.seed,
    },
    { channels: generator.channels, generator: generator.graph, masked: false, critic: false, layers: [] },
  );
  const progress = progressLine(io, false);
  const total = plannedSteps(method);
  const started = performance.now();
  const times: number[] = [];
  let searches = 0;
  let made = 0;
  const onStep = ({ loss }: { readonly loss: Float32Array }) => {
    times.push(performance.now());
    searches = Math.max(searches, loss.length);
    progress.show(++made, total, 'inverting its own samples');
  };
  const values: number[] = [];
  const job = { generator, method, images, thresholdGrey: FAST.thresholdGrey, batch: SAMPLES };
  for await (const result of restoreImages(job, runtime, { onStep, signal: io.signal })) {
    values.push(limited(psnr(result.restored, clip(imageAt(images, values.length)))));
  }
  progress.clear();
  const gaps = times.slice(1).map((time, i) => time - times[i]);
  const medianPsnr = median(values);
  const ok = values.length === SAMPLES && medianPsnr >= NEEDED_PSNR;
  const finding = `inverting ${SAMPLES} of its own samples reached a median PSNR of ${medianPsnr.toFixed(1)} dB in ${total} steps`;
  const sentence =
    values.length < SAMPLES
      ? 'Interrupted before the trial ended.'
      : ok
        ? `Can be inverted: ${finding} (${NEEDED_PSNR} are needed).`
        : `Cannot be inverted well: ${finding}, and ${NEEDED_PSNR} dB are needed. Check the latent's distribution with 'rgi inspect' (--latent-law), its gradients with 'rgi gradcheck', or allow more --steps.`;
  return {
    ok,
    sentence,
    psnr: values,
    medianPsnr,
    steps: total,
    searches,
    secondsPerStep: median(gaps) / 1000,
    seconds: (performance.now() - started) / 1000,
  };
}
