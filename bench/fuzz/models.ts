/** ONNX files: bytes changed, or members of the protobuf message (dimensions, attributes, counts, names); some nested deeply. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { GraphProtoSchema, type ModelProto, ModelProtoSchema } from 'onnx-buf';
import { trainedHere } from '../../src/cli/metadata.ts';
import { trainingSource } from '../../src/detect/node/good-pictures.ts';
import { policyNames } from '../../src/detect/node/policy-files.ts';
import { guessLatent } from '../../src/inspect/guess.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { withMetadata } from '../../src/onnx/metadata.ts';
import { readModel } from '../../src/onnx/read.ts';
import { retie } from '../../src/passes/tied.ts';
import { trainableWeights } from '../../src/passes/trainable.ts';
import type { Random } from '../../src/random.ts';
import { openModel } from '../../src/runtime/node/model-file.ts';
import type { FuzzKind } from './kind.ts';
import { modelSeeds } from './model-seeds.ts';
import { mutatedBytes, mutateTree, pick } from './mutate.ts';

const FILE = 'model.onnx';
const NESTED = 2000;

export function models(): FuzzKind {
  const seeds = modelSeeds();
  return {
    make: (random) => new Map([[FILE, made(seeds, random)]]),
    async read(files, folder) {
      const bytes = files.get(FILE)!;
      const file = path.join(folder, FILE);
      await writeFile(file, bytes);
      await writeFile(path.join(folder, 'weights.bin'), new Uint8Array(64));
      const model = await openModel(file);
      // What inspect and the other commands read of a model before they run it.
      guessLatent(model);
      trainableWeights(model.graph);
      policyNames(model);
      trainingSource(model);
      trainedHere(model);
      readModel(encodeModel(retie(model.graph).graph, model.metadata));
      withMetadata(bytes, new Map([['rgi.policies', '{}']]));
    },
  };
}

function made(seeds: readonly Uint8Array[], random: Random): Uint8Array {
  const seed = pick(seeds, random);
  if (random.integer(3) === 0) return mutatedBytes(seed, pick(seeds, random), random);
  const proto = fromBinary(ModelProtoSchema, seed);
  if (random.integer(200) === 0) nest(proto, 1 + random.integer(NESTED));
  mutateTree(proto, random, false);
  try {
    return toBinary(ModelProtoSchema, proto);
  } catch {
    // A value that the format cannot hold: the bytes are changed in its place.
    return mutatedBytes(seed, pick(seeds, random), random);
  }
}

/** The graph as the branch of a node of a graph, `depth` times. */
function nest(proto: ModelProto, depth: number): void {
  let inner = proto.graph!;
  for (let i = 0; i < depth; i++) {
    inner = create(GraphProtoSchema, {
      name: `level${i}`,
      output: inner.output,
      node: [{ opType: 'If', input: ['flag'], output: ['y'], attribute: [{ name: 'then_branch', type: 5, g: inner }] }],
    });
  }
  proto.graph = inner;
}
