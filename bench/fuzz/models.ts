/** ONNX files: bytes changed, or members of the protobuf message (dimensions, attributes, counts, names); some nested deeply. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { trainingSource } from '../../src/detect/node/good-pictures.ts';
import { policyNames } from '../../src/detect/stored-policy.ts';
import { guessLatent } from '../../src/inspect/guess.ts';
import { trainedHere } from '../../src/models/metadata.ts';
import { openModel } from '../../src/models/node/model-file.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { withMetadata } from '../../src/onnx/metadata.ts';
import { readModel } from '../../src/onnx/read.ts';
import { retie } from '../../src/passes/tied.ts';
import { trainableWeights } from '../../src/passes/trainable.ts';
import type { Random } from '../../src/random.ts';
import { bytesOf, type FuzzKind } from './kind.ts';
import { modelSeeds } from './model-seeds.ts';
import { joined, mutatedBytes, mutateTree, pick } from './mutate.ts';

const FILE = 'model.onnx';
/** Levels of graphs within graphs: more than fit the stack of a reader that calls itself. */
const NESTED = 3000;

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
  if (random.integer(300) === 0) return nested(1 + random.integer(NESTED));
  const proto = fromBinary(ModelProtoSchema, seed);
  mutateTree(proto, random, false);
  try {
    return toBinary(ModelProtoSchema, proto);
  } catch {
    // A value that the format cannot hold: the bytes are changed in its place.
    return mutatedBytes(seed, pick(seeds, random), random);
  }
}

/** A model whose graph is an If, the branch of which is an If, and so on: put together as bytes, since writers call themselves, too. */
function nested(depth: number): Uint8Array {
  const text = (field: number, value: string) => message(field, bytesOf(value));
  let graph = text(2, 'innermost');
  for (let level = 0; level < depth; level++) {
    const branch = joined(text(1, 'then_branch'), message(6, graph), number(20, 5));
    graph = message(1, joined(text(1, 'flag'), text(2, `y${level}`), text(4, 'If'), message(5, branch)));
  }
  const opset = message(8, number(2, 17));
  return joined(number(1, 8), opset, message(7, joined(graph, message(12, text(1, `y${depth - 1}`)))));
}

function number(field: number, value: number): Uint8Array {
  return joined(varint(8 * field), varint(value));
}

/** A field whose length is written before it. */
function message(field: number, bytes: Uint8Array): Uint8Array {
  return joined(varint(8 * field + 2), varint(bytes.length), bytes);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Uint8Array.from([...bytes, rest]);
}
