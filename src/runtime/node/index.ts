/** The Node runtime: one call that probes the device and chooses the thread. */
import { RgiError } from '../../errors.ts';
import type { Device, Runtime } from '../runtime.ts';
import { requireDevice } from './devices.ts';
import { nodeRuntime } from './onnxruntime.ts';
import { workerRuntime } from './worker-runtime.ts';

export { type DeviceStatus, probeDevice, probeDevices, requireDevice } from './devices.ts';
export { type NodeRuntimeOptions, nodeRuntime } from './onnxruntime.ts';
export { type WorkerRuntimeOptions, workerRuntime } from './worker-runtime.ts';

/** What `createRuntime` is given; every field has a default. */
export interface RuntimeOptions {
  /** Default 'cpu'. */
  readonly device?: Device;
  /** Threads within an operator, from 1 on; ONNX Runtime's default (the physical cores) if not given. */
  readonly threads?: number;
  /** Computes in a thread of its own, so that the caller's event loop stays free. Default false. */
  readonly worker?: boolean;
}

/**
 * A runtime on the device asked for. Another device is never taken instead: throws `RgiError('device')` with the reason
 * where it is not available (single operators that the device lacks are run on the CPU by ONNX Runtime), `RgiError('usage')`
 * for a device that does not exist or a bad number of threads.
 */
export async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const { threads, worker = false } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads > 0)) {
    throw new RgiError('usage', `The number of threads must be a whole number from 1 on, not ${threads}.`);
  }
  // The CPU is always there: no process is started to try it.
  const device = (options.device ?? 'cpu') === 'cpu' ? 'cpu' : await requireDevice(options.device!);
  return worker ? workerRuntime({ device, threads }) : nodeRuntime({ device, threads });
}
