/** The calls of the engine, on a runtime. */

import { RgiError } from '../../errors.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type {
  Engine,
  EngineFailure,
  NamedBytes,
  OpenedModel,
  Picture,
  RestoreProgress,
  RestoreRequest,
  RestoreResult,
  TrainRequest,
  TrainResult,
  WorkProgress,
} from '../engine.ts';
import { project, samplesOf } from './explore.ts';
import type { Gate } from './gate.ts';
import { detectorOf, inspect, openPolicy } from './inspect.ts';
import { type OpenModel, openModel } from './models.ts';
import { restore } from './restore.ts';
import { train } from './train.ts';

/** What a piece of work that was stopped ends with. */
export const STOPPED: EngineFailure = { code: 'stopped', message: 'It was stopped.' };

export interface Calls {
  open(files: readonly NamedBytes[]): Promise<OpenedModel>;
  close(model: string): Promise<void>;
  restore(request: RestoreRequest, onProgress: (progress: RestoreProgress) => void, gate: Gate): Promise<RestoreResult>;
  train(request: TrainRequest, onProgress: (progress: WorkProgress) => void, gate: Gate): Promise<TrainResult>;
  inspect: Engine['inspect'];
  exportDetector: Engine['exportDetector'];
  sample: Engine['sample'];
  draw: Engine['draw'];
  project: Engine['project'];
}

export function callsOn(runtime: Runtime): Calls {
  const models = new Map<string, OpenModel>();
  let nextId = 1;
  const named = (id: string): OpenModel => {
    const model = models.get(id);
    if (!model) throw new RgiError('usage', 'The model is not open any more; choose it again.');
    return model;
  };
  const policyOf = (model: OpenModel, name: string) => {
    const opening = model.policies.get(name) ?? openPolicy(model, name, runtime);
    model.policies.set(name, opening);
    opening.catch(() => model.policies.delete(name));
    return opening;
  };
  return {
    async open(files) {
      const model = await openModel(files, runtime);
      const id = `open ${nextId++}`;
      models.set(id, model);
      return { id, ...model.facts };
    },
    async close(id) {
      await models.get(id)?.session?.then((session) => session.dispose());
      models.delete(id);
    },
    async train(request, onProgress, gate) {
      const trained = await train(request, runtime, onProgress, gate.signal).catch((error) => {
        throw gate.signal.aborted ? STOPPED : error;
      });
      const opened = await this.open(trained.files);
      return { ...trained, model: { ...opened, name: request.name } };
    },
    async inspect({ model, policy, picture }) {
      return inspect(named(model), await policyOf(named(model), policy), picture);
    },
    async exportDetector(model, policy) {
      return detectorOf(named(model), await policyOf(named(model), policy), runtime);
    },
    async restore(request, onProgress, gate) {
      const result = await restore(named(request.model), request, runtime, onProgress, gate.signal);
      if (!result) throw STOPPED;
      return { id: `result ${nextId++}`, ...result };
    },
    sample: (id, latents) => samplesOf(named(id), latents, runtime),
    async draw(id, count, seed) {
      const { generator } = named(id);
      const drawn = await generator.draw(count, randomFrom(seed));
      return Array.from({ length: count }, (_, i) => flatLatent(drawn, generator.latents, i));
    },
    project: (id, picture: Picture) => project(named(id), picture, runtime),
  };
}

/** One image's latents, one after another. */
export function flatLatent(
  latents: ReadonlyMap<string, { readonly data: ArrayLike<unknown>; readonly dims: readonly number[] }>,
  order: readonly { readonly name: string }[],
  index: number,
): Float32Array {
  const parts = order.flatMap(({ name }) => {
    const { data, dims } = latents.get(name)!;
    const each = data.length / dims[0];
    return Array.from({ length: each }, (_, i) => Number(data[index * each + i]));
  });
  return Float32Array.from(parts);
}
