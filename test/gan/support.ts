/** Small things to train: striped pictures of 8x8, and settings for networks of a few channels. */
import type { Dataset } from '../../src/datasets/dataset.ts';
import { defaultSettings, type TrainingSettings } from '../../src/gan/settings.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { evaluatorOf } from '../../src/runtime/runtime.ts';

export const runtime = nodeRuntime({ threads: 1 });
export const evaluate = evaluatorOf(runtime, encodeModel);

export const SIZE = 8;

/** Stripes of random phase and strength, of one value per row. */
export function stripes(count: number, channels = 1): Dataset {
  const random = randomFrom(5);
  const pictures = Array.from({ length: count }, (_, i) => {
    const [phase, strength] = [random.uniform() * 6, 40 + 80 * random.uniform()];
    const data = Uint8Array.from({ length: channels * SIZE * SIZE }, (_, j) =>
      Math.round(128 + strength * Math.sin(phase + Math.floor(j / SIZE))),
    );
    return { name: `${i}.png`, height: SIZE, width: SIZE, data };
  });
  return { channels, size: SIZE, pictures, mirror: false };
}

export function tinySettings(given: Partial<TrainingSettings> = {}): TrainingSettings {
  const none = given.reconstruction === 'none';
  return defaultSettings(
    { size: SIZE, count: 20 },
    {
      latent: 5,
      width: 4,
      mostWidth: 6,
      samples: 2,
      reconstructions: none ? 0 : 2,
      steps: 8,
      warmup: none ? 0 : 2,
      penaltyEvery: 2,
      ...given,
    },
  );
}
