/**
 * Does a training run that is killed (SIGKILL, at random moments) always resume, with the same numbers as a run that was
 * never killed? Runs the program as a process, on a folder of striped pictures of 32 x 32 that the benchmark makes.
 *
 *   npm run bench -- kill [--kills 20] [--steps 400] [--seed 1]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type Checkpoint, readCheckpoint } from '../src/gan/checkpoint.ts';
import { writePicture } from '../src/images/node/write.ts';
import { float32 } from '../src/onnx/tensor.ts';
import { type Random, randomFrom } from '../src/random.ts';
import { argument } from './trials.ts';

const PROGRAM = path.join(import.meta.dirname, '../src/cli/main.ts');

export async function kill(args: readonly string[]): Promise<void> {
  const kills = Number(argument(args, 'kills', '20'));
  const steps = argument(args, 'steps', '400');
  const random = randomFrom(Number(argument(args, 'seed', '1')));
  const folder = await mkdtemp(path.join(os.tmpdir(), 'rgi-kill-'));
  try {
    await makePictures(path.join(folder, 'good'), random);
    const start = (out: string): ChildProcess => {
      const network = ['--size', '32', '--width', '2', '--latent', '6', '--held', '4', '--steps', steps];
      const own = ['train', path.join(folder, 'good'), '--out', path.join(folder, out, 'model.onnx'), '--resume'];
      return spawn(process.execPath, [...process.execArgv, PROGRAM, ...own, ...network], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
    };
    const began = performance.now();
    const whole = start('whole');
    let firstMeasured = 0;
    whole.stderr?.once('data', () => {
      firstMeasured = performance.now() - began;
    });
    await ended(whole, 'the run that is not killed');
    const expected = await stateOf(folder, 'whole');
    console.log(`not killed: ${steps} steps, ${seconds(performance.now() - began)}`);

    let killed = 0;
    for (let run = 0; killed < kills; run++) {
      const out = `killed-${run}`;
      let step = 0;
      for (let done = false; !done; ) {
        const child = start(out);
        // Half of the moments lie before the first measurement, half among steps, measurements and writing.
        const moment = random.uniform() * 2 * firstMeasured;
        const timer = killed < kills ? setTimeout(() => child.kill('SIGKILL'), moment) : undefined;
        done = (await ended(child, `a resumed run, after ${killed} kills`)) === 'done';
        clearTimeout(timer);
        if (!done) killed++;
        const state = await stateOf(folder, out);
        if (state && state.state.step < step) throw new Error(`the checkpoint went back from step ${step}`);
        step = state?.state.step ?? step;
        console.log(done ? `run ${run} ended` : `kill ${killed} after ${seconds(moment)}: checkpoint of step ${step}`);
      }
      expectSame(await stateOf(folder, out), expected);
      console.log(`run ${run}: the same numbers as the run that was not killed`);
    }
    console.log(`${killed} kills: every run was resumed, to the same bits`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Throws where the process ended otherwise than by our signal or with success. */
async function ended(child: ChildProcess, what: string): Promise<'done' | 'killed'> {
  const said: string[] = [];
  child.stderr?.on('data', (text) => said.push(String(text)));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (signal === 'SIGKILL') return 'killed';
  if (code !== 0) throw new Error(`${what} ended with code ${code}: ${said.join('')}`);
  return 'done';
}

/** The checkpoint as it lies on the disk: whole, whenever the run was killed. */
async function stateOf(folder: string, out: string): Promise<Checkpoint | undefined> {
  const file = path.join(folder, out, 'model.training', 'checkpoint.npz');
  const bytes = await readFile(file).catch(() => undefined);
  return bytes && readCheckpoint(bytes);
}

function expectSame(actual: Checkpoint | undefined, expected: Checkpoint | undefined): void {
  const record = (of: Checkpoint | undefined) => JSON.stringify({ ...of?.record, seconds: 0 });
  if (record(actual) !== record(expected)) throw new Error('the curves differ from those of the run not killed');
  for (const [name, { data }] of expected!.state.tensors) {
    const own = actual!.state.tensors.get(name)!.data as Float32Array;
    if ((data as Float32Array).some((value, i) => value !== own[i])) throw new Error(`'${name}' differs`);
  }
}

async function makePictures(folder: string, random: Random): Promise<void> {
  for (let n = 0; n < 24; n++) {
    const [phase, pitch] = [6 * random.uniform(), 0.3 + 0.3 * random.uniform()];
    const data = Float32Array.from({ length: 32 * 32 }, (_, i) => 0.8 * Math.sin(phase + pitch * Math.floor(i / 32)));
    await writePicture(path.join(folder, `${n}.png`), float32(data, [1, 1, 32, 32]));
  }
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
