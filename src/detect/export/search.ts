/**
 * A search with a fixed schedule in a graph: the encoder gives the start, and each stage is a Loop whose body is the step graph that
 * `detect` runs. One picture at a time, since a step graph is compiled for a number of pictures.
 */
import { stepFeeds } from '../../inversion/compile/feeds.ts';
import { compiledOnce, reuse } from '../../inversion/compile/reuse.ts';
import type { CompiledStep } from '../../inversion/compile/step.ts';
import { STEP } from '../../inversion/compile/step-names.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import type { Stage } from '../../inversion/spec/method.ts';
import { GraphBuilder, type Value } from '../../onnx/builder.ts';
import type { Graph, ValueInfo } from '../../onnx/graph.ts';
import { appendGraph } from '../../onnx/merge.ts';
import { float32, float32Data, type Tensor, tensorOf, zeros } from '../../onnx/tensor.ts';
import { withoutDeadCode } from '../../passes/dead-code.ts';
import { NEXT, type Runtime } from '../../runtime/runtime.ts';
import { policySearch } from '../search.ts';
import { loopBody, ROUND } from './loop.ts';

/** G(z) of one picture [1,C,H,W], not clipped, as the search of `openInverter` finds it from the encoder's answer. */
export async function emitSearch(
  b: GraphBuilder,
  image: Value,
  { generator, encoder, settings }: EncodedSearch,
  runtime: Runtime,
): Promise<Value> {
  const { stages } = policySearch(generator, settings, 1);
  const shared = reuse();
  const [{ name: input }] = encoder.inputs;
  const [{ name: output }] = encoder.outputs;
  const latent = generator.latents[0].name;
  let z = appendGraph(b, encoder, 'encoder/', new Map([[input, image]]), [output]).get(output)!;
  let render: Graph | undefined;
  for (const [i, stage] of stages.entries()) {
    const compiled = await compiledOnce(shared, generator, stage.formulation, 1, runtime);
    if (stage.steps > 0) z = emitStage(b, { image, z, latent }, compiled, stage, `search.${i}`);
    render = compiled.render;
  }
  const outputs = render!.outputs.filter(({ name }) => name === STEP.image);
  const bindings = new Map([[latent, z]]);
  return appendGraph(b, withoutDeadCode({ ...render!, outputs }), 'render/', bindings).get(STEP.image)!;
}

/** A search from an encoder's answer, of a generator with one latent. */
export interface EncodedSearch {
  readonly generator: Generator;
  readonly encoder: Graph;
  /** As the policy stores them. */
  readonly settings: Parameters<typeof policySearch>[1];
}

interface Place {
  readonly image: Value;
  /** Where the stage begins. */
  readonly z: Value;
  /** Name of the latent in the step graph. */
  readonly latent: string;
}

/** z after the steps of a stage. */
function emitStage(b: GraphBuilder, place: Place, compiled: CompiledStep, stage: Stage, prefix: string): Value {
  const { image, z, latent } = place;
  const step = compiled.step;
  const state = [latent, STEP.firstMoment(latent), STEP.secondMoment(latent)];
  const dims = compiled.latents.get(latent)!;
  const tables = controlTables(compiled, stage);
  const names = new Map([...tables].map(([name, table]) => [name, b.constant(table, `${prefix}/table`)]));
  const body = loopBody(
    stepBody(step, state, dims, names, image),
    undefined,
    prefix,
    new Set([image, ...names.values()]),
  );
  // The weights stand outside of the body: those of all stages are the same.
  for (const [name, tensor] of body.initializers) b.initializer(name, tensor);
  const start = b.constant(zeros('float32', dims), 'zeros');
  const [last] = b.node(
    'Loop',
    [b.constant(tensorOf('int64', [stage.steps], [])), '', z, start, start],
    { body: { kind: 'graph', value: { ...body, initializers: new Map() } } },
    state.length,
    `${prefix}/state`,
  );
  return last;
}

/** From the state to the next one, with the numbers of the round. */
function stepBody(
  step: Graph,
  state: readonly string[],
  dims: readonly number[],
  tables: ReadonlyMap<string, Value>,
  image: Value,
): Graph {
  const b = new GraphBuilder();
  for (const name of [ROUND, image, ...tables.values(), ...state]) b.reserve(name);
  const bindings = new Map<string, Value>([[STEP.x, image], ...state.map((name) => [name, name] as const)]);
  for (const [name, table] of tables) bindings.set(name, b.Gather(table, ROUND, 0));
  const wanted = state.map((name) => NEXT + name);
  const made = appendGraph(
    b,
    withoutDeadCode({ ...step, outputs: outputsOf(step, wanted) }),
    'step/',
    bindings,
    wanted,
  );
  const info = (name: string): ValueInfo => ({ name, type: 'float32', dims });
  return b.graph(
    'step',
    state.map(info),
    wanted.map((name) => info(made.get(name)!)),
  );
}

function outputsOf(graph: Graph, names: readonly string[]): ValueInfo[] {
  return names.map((name) => graph.outputs.find((output) => output.name === name)!);
}

/** The inputs of all steps of a stage that change from step to step, one row for each: [steps, ...dims]. */
function controlTables(compiled: CompiledStep, stage: Stage): Map<string, Tensor<'float32'>> {
  const feeds = Array.from({ length: stage.steps }, (_, t) =>
    stepFeeds(compiled, stage.controls(t), t + 1, [undefined], [0]),
  );
  return new Map(
    [...feeds[0]].map(([name, { dims }]) => {
      const rows = feeds.flatMap((feed) => [...float32Data(feed.get(name)!)]);
      return [name, float32(rows, [stage.steps, ...dims])];
    }),
  );
}
