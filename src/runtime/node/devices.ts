/**
 * Which devices can be had. Each is tried for real (a small convolution, run) in a process of its own, since a broken
 * driver may take the process down; and the profile of that run must name the device, since ONNX Runtime places on the
 * CPU what a device does not take.
 */
import { spawn } from 'node:child_process';
import { messageOf, nameError, RgiError } from '../../errors.ts';
import { readable } from '../messages.ts';
import { DEVICES, type Device } from '../runtime.ts';
import { onnxRuntime } from './library.ts';
import { processArguments, siblingModule } from './sibling.ts';

/** Whether a device can be used here. */
export interface DeviceStatus {
  /** The device that was tried. */
  readonly device: Device;
  /** Did a trial convolution run on it? */
  readonly available: boolean;
  /** One sentence: what was tried and ran, or why it is not available. */
  readonly reason: string;
}

/** What the probing process prints. */
export interface ProbeReport {
  /** The provider that ran the convolution, as ONNX Runtime's profile names it. */
  readonly provider?: string;
  readonly error?: string;
}

/** As the profile names them. */
const PROVIDERS: Record<Device, string> = {
  cpu: 'CPUExecutionProvider',
  webgpu: 'WebGpuExecutionProvider',
  cuda: 'CUDAExecutionProvider',
  coreml: 'CoreMLExecutionProvider',
  dml: 'DmlExecutionProvider',
};

const PLATFORMS: Partial<Record<Device, string>> = {
  cuda: 'Linux on x64 with an NVIDIA GPU',
  coreml: 'macOS',
  dml: 'Windows',
};

const TIME_LIMIT_MS = 60_000;

const probed = new Map<Device, Promise<DeviceStatus>>();

/** Every device's status, tried once per process. Does not throw. */
export async function probeDevices(): Promise<DeviceStatus[]> {
  const result: DeviceStatus[] = [];
  for (const device of DEVICES) result.push(await probeDevice(device));
  return result;
}

/** A device's status; it is tried once per process, in a process of its own. Does not throw. */
export function probeDevice(device: Device): Promise<DeviceStatus> {
  let status = probed.get(device);
  if (!status) {
    status = probe(device);
    probed.set(device, status);
  }
  return status;
}

/** Throws `RgiError('usage')` for a word that names no device, `RgiError('device')` for one that is not available. */
export async function requireDevice(name: string): Promise<Device> {
  const device = DEVICES.find((known) => known === name);
  if (!device)
    throw nameError(`There is no device '${name}'; devices are ${DEVICES.join(', ')}.`, 'device', name, DEVICES);
  const status = await probeDevice(device);
  if (status.available) return device;
  const others = (await probeDevices()).filter((other) => other.available).map((other) => other.device);
  throw new RgiError(
    'device',
    `The device '${device}' is not available: ${status.reason} Available here: ${others.join(', ') || 'none'}.`,
  );
}

async function probe(device: Device): Promise<DeviceStatus> {
  try {
    const built = onnxRuntime().listSupportedBackends();
    if (!built.some((backend) => backend.name === device)) {
      const reason = `onnxruntime-node for ${process.platform}-${process.arch} is built without it (it needs ${PLATFORMS[device] ?? 'another platform'}).`;
      return { device, available: false, reason };
    }
  } catch (error) {
    return { device, available: false, reason: messageOf(error) };
  }
  const report = await probeInProcess(device);
  return judge(device, report);
}

/** What a probe's report means. */
export function judge(device: Device, report: ProbeReport): DeviceStatus {
  if (report.error !== undefined) return { device, available: false, reason: reasonOf(device, report.error) };
  if (report.provider !== PROVIDERS[device]) {
    const ran = report.provider ?? 'nothing';
    return { device, available: false, reason: `A trial convolution asked of it was run by ${ran} instead.` };
  }
  return { device, available: true, reason: 'A trial convolution ran on it.' };
}

function probeInProcess(device: Device): Promise<ProbeReport> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...processArguments(siblingModule('probe-entry')), device], {
      // Drivers print what they like; the reason comes as JSON on stdout.
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: TIME_LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    let printed = '';
    child.stdout.on('data', (chunk) => {
      printed += chunk;
    });
    child.on('error', (error) => resolve({ error: messageOf(error) }));
    child.on('close', (code, signal) => {
      const line = printed.split('\n').find((text) => text.startsWith('{"rgiProbe"'));
      if (line) resolve((JSON.parse(line) as { rgiProbe: ProbeReport }).rgiProbe);
      else resolve({ error: `the trial process ended with ${signal ?? `exit code ${code}`}` });
    });
  });
}

/** ONNX Runtime's words for what is commonly missing, as a sentence that says what to do. */
export function reasonOf(device: Device, error: string): string {
  const text = readable(error);
  if (/No supported adapters|Failed to get a WebGPU adapter/i.test(text)) {
    return 'WebGPU finds no graphics adapter (on Linux it needs a GPU with a Vulkan driver, libvulkan.so.1).';
  }
  if (device === 'cuda' && /shared library|load library|cannot open shared object/i.test(text)) {
    return 'The CUDA libraries of ONNX Runtime, or CUDA and cuDNN themselves, are not installed (see docs/devices.md, "CUDA").';
  }
  if (device === 'cuda' && /no CUDA-capable device|CUDA driver version|CUDA failure/i.test(text)) {
    return `CUDA finds no usable GPU or driver (${text}).`;
  }
  if (/the trial process ended with/.test(text)) return `Trying it crashed or hung (${text}): its driver is broken.`;
  return text.endsWith('.') ? text : `${text}.`;
}

const REFUSAL =
  /backend not found|WebGPU adapter|AppendExecutionProvider|shared library|ExecutionProvider.*(?:not enabled|not available)/i;

/** The error of opening a session as a refusal of the device; undefined where the device is not to blame. */
export function deviceRefusal(device: Device, error: unknown): RgiError | undefined {
  const message = messageOf(error);
  if (device === 'cpu' || !REFUSAL.test(message)) return undefined;
  return new RgiError(
    'device',
    `The device '${device}' is not available: ${reasonOf(device, message)}`,
    {},
    { cause: error },
  );
}
