/** The process that tries a model (its argument is a `TrialOrder`): whatever this does to the memory, the caller survives. */
import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { RgiError } from '../../errors.ts';
import { inspectModel } from '../../inspect/inspect.ts';
import { encodeModel } from '../../onnx/encode.ts';
import { nodeRuntime } from '../../runtime/node/onnxruntime.ts';
import { evaluatorOf } from '../../runtime/runtime.ts';
import { withLatentShape } from '../generator.ts';
import { openModel } from './model-file.ts';
import { fixedInputs } from './networks.ts';
import { TRIAL_DONE, type TrialOrder } from './trial.ts';

// Ctrl-C reaches every process of the terminal: the caller decides what becomes of it.
process.on('SIGINT', () => {});

/**
 * Kills this process once its parent is gone. ONNX Runtime blocks the main thread, so a thread of its own looks. The signal 0
 * asks whether a process exists; where the parent ends, Unix gives the child another one.
 */
function endWith(parent: number): void {
  const code = `
    setInterval(() => {
      let there = process.platform === 'win32' || process.ppid === ${parent};
      try { process.kill(${parent}, 0); } catch { there = false; }
      if (!there) process.kill(process.pid, 'SIGKILL');
    }, 200);`;
  new Worker(code, { eval: true, execArgv: [] }).unref();
}

async function trial({ file, latentShape, input }: TrialOrder): Promise<void> {
  const model = withLatentShape(await openModel(file), { latentShape }, file);
  const inputs = await fixedInputs(model.graph.inputs, input ?? []);
  await inspectModel(model, evaluatorOf(nodeRuntime(), encodeModel), { inputs });
}

try {
  const order = JSON.parse(process.argv[2]) as TrialOrder;
  endWith(order.parent);
  await trial(order);
} catch (error) {
  // A clean error is met, and said, by the caller as well.
  if (!(error instanceof RgiError)) throw error;
}
writeSync(1, TRIAL_DONE);
process.exit(0);
