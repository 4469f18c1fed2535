import { describe, expect, it } from 'vitest';
import { batchOf } from '../../src/datasets/dataset.ts';
import { split } from '../../src/datasets/held-out.ts';
import { readCheckpoint, writeCheckpoint } from '../../src/gan/checkpoint.ts';
import { measureCoverage } from '../../src/gan/coverage.ts';
import { fitBackbone } from '../../src/gan/fit-backbone.ts';
import { rateShare } from '../../src/gan/loops/setup.ts';
import type { RunRecord } from '../../src/gan/record.ts';
import { createTrainer, type Trainer, type TrainerState } from '../../src/gan/trainer.ts';
import { runtime, stripes, tinySettings } from './support.ts';

const dataset = stripes(20);

async function steps(trainer: Trainer, count: number) {
  const losses = [];
  for (let i = 0; i < count; i++) losses.push(await trainer.step());
  return losses;
}

function expectSame(actual: TrainerState, expected: TrainerState): void {
  expect([...actual.tensors.keys()].sort()).toEqual([...expected.tensors.keys()].sort());
  for (const [name, tensor] of expected.tensors) expect(actual.tensors.get(name)!.data, name).toEqual(tensor.data);
}

describe('a trainer', () => {
  it.each(['none', 'encoder', 'codes'] as const)(
    'reconstruction %s: a run resumed from a checkpoint gives the same bits',
    async (reconstruction) => {
      const settings = tinySettings({ reconstruction });
      const whole = await createTrainer(dataset, settings, runtime);
      const losses = await steps(whole, 7);
      const first = await createTrainer(dataset, settings, runtime);
      await steps(first, 4);
      const bytes = writeCheckpoint({ state: await first.save(), record: { settings } as RunRecord });
      const { state, record } = readCheckpoint(bytes);
      expect(record.settings).toEqual(settings);
      const second = await createTrainer(dataset, record.settings, runtime);
      await second.load(state);
      expect(await steps(second, 3)).toEqual(losses.slice(4));
      expectSame(await second.save(), await whole.save());
      for (const trainer of [whole, first, second]) await trainer.dispose();
    },
    180_000,
  );

  it('goes back to an earlier state without opening anew, and draws otherwise after a rollback', async () => {
    const trainer = await createTrainer(dataset, tinySettings(), runtime);
    await steps(trainer, 3);
    const state = await trainer.save();
    const [before] = await steps(trainer, 1);
    await trainer.load(state);
    expect(await steps(trainer, 1)).toEqual([before]);
    await trainer.load({ ...state, rollbacks: 1 });
    expect(await steps(trainer, 1)).not.toEqual([before]);
    await trainer.dispose();
  }, 180_000);

  it('refuses a state of another architecture', async () => {
    const trainer = await createTrainer(dataset, tinySettings(), runtime);
    const other = await createTrainer(dataset, tinySettings({ width: 2, mostWidth: 4 }), runtime);
    await expect(other.load(await trainer.save())).rejects.toThrow(/The checkpoint does not fit: '.*' is \[.*\]/);
    await trainer.dispose();
    await other.dispose();
  });

  it('learns: reconstruction of unseen pictures by inversion improves', async () => {
    const { train, held } = split(dataset, 4, 0);
    const settings = tinySettings({ steps: 150, warmup: 150, samples: 0, reconstructions: 4 });
    const trainer = await createTrainer(train, settings, runtime);
    const unseen = batchOf(held, [0, 1, 2, 3]);
    const coverage = async () =>
      (await measureCoverage((await trainer.networks()).generator.graph, unseen, runtime, { steps: 40, pool: 20 }))
        .median;
    const before = await coverage();
    await steps(trainer, 150);
    expect(await coverage()).toBeGreaterThan(before + 3);
    await trainer.dispose();
  }, 180_000);

  it('begins at the principal components where it has a backbone', async () => {
    const { backbone, residual } = await fitBackbone(dataset, 5, runtime);
    const settings = tinySettings({
      backbone: { size: 8, decoderRate: backbone.decoderRate, encoderRate: backbone.encoderRate },
    });
    const trainer = await createTrainer(dataset, settings, runtime, backbone);
    const { generator, encoder } = await trainer.networks();
    const images = batchOf(dataset, [0, 1, 2]);
    const { encoded } = await measureCoverage(generator.graph, images, runtime, {
      steps: 1,
      pool: 1,
      encoder: encoder!.graph,
    });
    // Stripes a + b sin + c cos have two components; what is left is the rounding to bytes.
    expect(residual).toBeLessThan(1e-4);
    expect(encoded).toBeGreaterThan(45);
    await trainer.dispose();
  });
});

it('the rate is constant, then falls to a hundredth', () => {
  expect([0, 0.5, 0.7, 0.85, 1].map((f) => rateShare(1000 * f, 1000))).toEqual([1, 1, 1, 0.5, 0.01]);
});
