import { describe, expect, test } from 'vitest';
import { readable } from '../../src/runtime/messages.ts';
import { deviceRefusal, judge, reasonOf } from '../../src/runtime/node/devices.ts';
import { createRuntime, nodeRuntime, probeDevices } from '../../src/runtime/node/index.ts';
import { loadError } from '../../src/runtime/node/library.ts';
import { DEVICES, type Device } from '../../src/runtime/runtime.ts';
import { doubling } from './conformance.ts';

const devices = await probeDevices();

describe('probing', () => {
  test('gives every device one status, with one sentence of reason', () => {
    expect(devices.map((status) => status.device)).toEqual(DEVICES);
    for (const { reason } of devices) expect(reason).toMatch(/^[A-Zo][^\n]*\.$/);
  });

  test('finds the CPU', () => {
    expect(devices[0]).toEqual({ device: 'cpu', available: true, reason: 'A trial convolution ran on it.' });
  });

  test('a device on which ONNX Runtime silently ran nothing counts as absent', () => {
    expect(judge('cuda', { provider: 'CPUExecutionProvider' })).toEqual({
      device: 'cuda',
      available: false,
      reason: 'A trial convolution asked of it was run by CPUExecutionProvider instead.',
    });
    expect(judge('cuda', { provider: 'CUDAExecutionProvider' }).available).toBe(true);
  });

  test('a driver that takes its process down is reported', () => {
    expect(judge('webgpu', { error: 'the trial process ended with SIGSEGV' })).toEqual({
      device: 'webgpu',
      available: false,
      reason: 'Trying it crashed or hung (the trial process ended with SIGSEGV): its driver is broken.',
    });
  });
});

describe('refusal', () => {
  const absent = devices.filter((status) => !status.available);

  test.each(absent)(
    '$device, which is not here, is refused with the reason and what is',
    async ({ device, reason }) => {
      const available = devices.filter((status) => status.available).map((status) => status.device);
      await expect(createRuntime({ device })).rejects.toMatchObject({
        code: 'device',
        message: `The device '${device}' is not available: ${reason} Available here: ${available.join(', ')}.`,
      });
    },
  );

  test.each(absent.filter((status) => status.device !== 'webgpu'))(
    '$device is refused without probing too',
    async ({ device }) => {
      await expect(nodeRuntime({ device }).session(doubling())).rejects.toMatchObject({ code: 'device' });
    },
  );

  test('a device that does not exist is a wrong use', async () => {
    await expect(createRuntime({ device: 'gpu' as Device })).rejects.toMatchObject({
      code: 'usage',
      message: "There is no device 'gpu'; devices are cpu, webgpu, cuda, coreml, dml.",
    });
  });

  test('a graph that cannot be loaded is not blamed on the device', () => {
    expect(deviceRefusal('webgpu', new Error('Failed to load model because protobuf parsing failed.'))).toBeUndefined();
  });
});

describe('messages', () => {
  test('no adapter', () => {
    const error =
      '/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 onnxruntime::webgpu::WebGpuContext::Initialize(const onnxruntime::webgpu::WebGpuContextConfig&)::<lambda()> adapter_result.status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters';
    expect(reasonOf('webgpu', error)).toBe(
      'WebGPU finds no graphics adapter (on Linux it needs a GPU with a Vulkan driver, libvulkan.so.1).',
    );
  });

  test('no CUDA libraries', () => {
    const error = 'OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library';
    expect(reasonOf('cuda', error)).toBe(
      'The CUDA libraries of ONNX Runtime, or CUDA and cuDNN themselves, are not installed (see docs/devices.md, "CUDA").',
    );
  });

  test('the C++ source place is cut away', () => {
    const error =
      '/onnxruntime_src/onnxruntime/core/providers/cpu/math/element_wise_ops.h:563 void onnxruntime::BroadcastIterator::Init(ptrdiff_t, ptrdiff_t) axis == 1 || axis == largest was false. Attempting to broadcast an axis by a dimension other than 1. 2 by 3';
    expect(readable(error)).toBe('Attempting to broadcast an axis by a dimension other than 1. 2 by 3');
  });
});

describe('where onnxruntime-node cannot be loaded', () => {
  test('its absence is told by the failing install script, with the remedy of README', () => {
    expect(loadError(new Error("Cannot find module 'onnxruntime-node'\nRequire stack:\n- x.js")).message).toBe(
      "ONNX Runtime is not installed: npm leaves onnxruntime-node out where its install script fails, which fetches CUDA libraries from outside the npm registry. Run 'npm install --ignore-scripts' in your project; CPU and WebGPU need no such library.",
    );
  });

  test('a binding that does not load is told with its reason and the platforms', () => {
    expect(loadError(new Error('libstdc++.so.6: version not found. (required by x)')).message).toBe(
      `ONNX Runtime cannot be loaded on ${process.platform}-${process.arch}: libstdc++.so.6: version not found. Run 'npm install --ignore-scripts' again, on a platform that onnxruntime-node is built for (Linux and Windows on x64 and arm64, macOS on arm64).`,
    );
  });
});
