/** The process that tries a device (its argument) and prints a `ProbeReport` as one JSON line. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { messageOf } from '../../errors.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import { encodeModel } from '../../onnx/encode.ts';
import type { ProbeReport } from './devices.ts';
import { onnxRuntime } from './library.ts';

/** A 1x1 convolution with constant weights: what every device takes, CoreML included. */
function trialModel(): Uint8Array {
  const b = new GraphBuilder();
  const weights = b.floats(
    Float32Array.from({ length: 256 }, (_, i) => i / 256),
    [16, 16, 1, 1],
  );
  b.node('Conv', ['x', weights], {}, ['y']);
  const value = { type: 'float32', dims: [1, 16, 32, 32] } as const;
  return encodeModel(b.graph('trial', [{ name: 'x', ...value }], [{ name: 'y', ...value }]));
}

async function trial(device: string): Promise<ProbeReport> {
  const ort = onnxRuntime();
  const folder = mkdtempSync(path.join(tmpdir(), 'rgi-probe-'));
  try {
    const session = await ort.InferenceSession.create(trialModel(), {
      executionProviders: [device],
      logSeverityLevel: 4,
      enableProfiling: true,
      profileFilePrefix: path.join(folder, 'profile'),
    });
    await session.run({ x: new ort.Tensor('float32', new Float32Array(16 * 32 * 32).fill(1), [1, 16, 32, 32]) });
    session.endProfiling();
    await session.release();
    const events = readdirSync(folder).flatMap(
      (file) => JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as ProfileEvent[],
    );
    const kernels = events.filter((event) => event.args?.provider && !/^Memcpy/.test(event.args.op_name ?? ''));
    // A layout change around the convolution may stay on the CPU; that anything ran on the device is what counts.
    const providers = [...new Set(kernels.map((event) => event.args?.provider))];
    return { provider: providers.find((provider) => provider !== 'CPUExecutionProvider') ?? providers[0] };
  } catch (error) {
    return { error: messageOf(error) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface ProfileEvent {
  readonly args?: { readonly provider?: string; readonly op_name?: string };
}

process.stdout.write(`${JSON.stringify({ rgiProbe: await trial(process.argv[2]) })}\n`);
