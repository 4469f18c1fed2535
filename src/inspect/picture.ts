/** Which output of a model is the picture, in what layout and value range: what the file says, else what its samples show. */
import { type Graph, type Model, producersOf } from '../onnx/graph.ts';
import { numbersOf, sizeOf, type Tensor } from '../onnx/tensor.ts';
import type { ImageFacts, ImageLayout, ImageRange } from './facts.ts';
import { jsonMetadata, MOVES } from './guess.ts';

/** The outputs of one run, at a batch size. */
export interface Sample {
  readonly size: number;
  readonly values: ReadonlyMap<string, Tensor>;
}

export interface PictureOptions {
  /** The output that is the picture; default: the largest that looks like one. */
  readonly output?: string;
  /** [C, H, W] of an output whose values are a picture's, whatever axes it has. */
  readonly shape?: readonly number[];
}

export interface FoundPicture {
  readonly image: ImageFacts;
  /** Are all its values finite? */
  readonly finite: boolean;
  /** What a user should know of the choice. */
  readonly notes: readonly string[];
}

interface Candidate {
  readonly output: string;
  readonly layout: ImageLayout;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** The output that is a picture: of several the largest, of equal ones the first; batches before single pictures. */
export function findPicture(
  model: Model,
  samples: readonly Sample[],
  { output, shape }: PictureOptions = {},
): FoundPicture | undefined {
  const names = model.graph.outputs.map(({ name }) => name).filter((name) => output === undefined || name === output);
  const candidates = names.flatMap((name) => candidateOf(name, samples, shape) ?? []);
  const usual = candidates.filter(({ layout }) => layout === 'NCHW' || layout === 'NHWC');
  const rivals = usual.length > 0 ? usual : candidates;
  const area = ({ height, width }: Candidate) => height * width;
  const chosen = rivals.find((one) => rivals.every((other) => area(other) <= area(one)));
  if (!chosen) return undefined;
  const measured = measure(samples.map(({ values }) => values.get(chosen.output)!));
  const { minimum, maximum } = measured;
  const said = rangeSaid(jsonMetadata(model, 'rgi.image')?.range);
  const range = said ?? rangeOfLastOperator(model.graph, chosen.output);
  const image: ImageFacts = {
    ...chosen,
    range: range ?? rangeOfValues(minimum, maximum),
    from: said ? 'metadata' : range ? 'last operator' : 'samples',
    minimum,
    maximum,
  };
  const sizes = rivals.map((one) => `'${one.output}' (${one.height} x ${one.width})`).join(', ');
  const notes =
    rivals.length > 1 && output === undefined
      ? [`Of the outputs that are pictures, ${sizes}, the largest is taken: '${chosen.output}' (--output-name).`]
      : [];
  return { image, finite: measured.finite, notes };
}

function candidateOf(output: string, samples: readonly Sample[], shape?: readonly number[]): Candidate | undefined {
  const [{ size, values }] = samples;
  const { dims } = values.get(output)!;
  if (shape) {
    const [channels, height, width] = shape;
    if (dims[0] !== size || sizeOf(dims.slice(1)) !== sizeOf(shape)) return undefined;
    const same = dims.length === 4 && dims.slice(1).join() === shape.join();
    return { output, layout: same ? 'NCHW' : 'flat', channels, height, width };
  }
  const layout = layoutOf(dims, hasBatchAxis(output, samples));
  if (!layout) return undefined;
  const at = (axis: string) => (layout.includes(axis) ? dims[layout.indexOf(axis)] : 1);
  return { output, layout, channels: at('C'), height: at('H'), width: at('W') };
}

/** Is the first axis as long as the batch, at every batch size that was tried? */
function hasBatchAxis(output: string, samples: readonly Sample[]): boolean {
  return samples.every(({ size, values }) => values.get(output)!.dims[0] === size);
}

const MAX_CHANNELS = 4;
/** A picture without a batch or channel axis has at most this ratio of length to width: [N, 18, 512] is no picture. */
const MAX_ASPECT = 4;

function layoutOf(dims: readonly number[], batched: boolean): ImageLayout | undefined {
  const [a, b, c, d] = dims;
  const plane = (h: number, w: number) => h > MAX_CHANNELS && w > MAX_CHANNELS;
  const compact = (h: number, w: number) => plane(h, w) && Math.max(h, w) <= MAX_ASPECT * Math.min(h, w);
  if (dims.length === 4) {
    if (b <= MAX_CHANNELS && plane(c, d)) return 'NCHW';
    return d <= MAX_CHANNELS && plane(b, c) ? 'NHWC' : undefined;
  }
  if (dims.length === 3) {
    if (batched) return compact(b, c) ? 'NHW' : undefined;
    if (a <= MAX_CHANNELS && compact(b, c)) return 'CHW';
    return c <= MAX_CHANNELS && compact(a, b) ? 'HWC' : undefined;
  }
  return dims.length === 2 && !batched && compact(a, b) ? 'HW' : undefined;
}

function measure(tensors: readonly Tensor[]): { minimum: number; maximum: number; finite: boolean } {
  let [minimum, maximum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let finite = true;
  for (const tensor of tensors) {
    for (const v of numbersOf(tensor)) {
      if (!Number.isFinite(v)) finite = false;
      if (v < minimum) minimum = v;
      if (v > maximum) maximum = v;
    }
  }
  return { minimum, maximum, finite };
}

function rangeSaid(range: unknown): ImageRange | undefined {
  const text = Array.isArray(range) ? range.join('..') : range;
  return text === '-1..1' || text === '0..1' || text === '0..255' ? text : undefined;
}

function rangeOfLastOperator(graph: Graph, output: string): ImageRange | undefined {
  const producers = producersOf(graph);
  let node = producers.get(output);
  while (node && MOVES.has(node.operator)) node = producers.get(node.inputs[0]);
  if (node?.operator === 'Tanh') return '-1..1';
  if (node?.operator === 'Sigmoid') return '0..1';
  if (node?.operator !== 'Clip') return undefined;
  const bounds = node.inputs.slice(1).map((name) => {
    const constant = graph.initializers.get(name);
    const attribute = producers.get(name)?.attributes.value;
    const tensor = constant ?? (attribute?.kind === 'tensor' ? attribute.value : undefined);
    return tensor && numbersOf(tensor)[0];
  });
  return rangeSaid(bounds);
}

/**
 * The range that the values seen fit: outputs without a last activation overshoot theirs somewhat, and pictures of
 * untrained networks are faint. Values that fit none are 'unknown': of logits, for instance.
 */
function rangeOfValues(minimum: number, maximum: number): ImageRange {
  if (minimum >= -1e-3 && maximum <= 1 + 1e-3) return '0..1';
  if (minimum >= -4 && maximum <= 4) return '-1..1';
  return maximum > 16 && maximum <= 512 && minimum > -maximum / 4 ? '0..255' : 'unknown';
}

const BOUNDS = { '-1..1': [-1, 1], '0..1': [0, 1], '0..255': [0, 255] } as const;

/** Values seen may lie beyond the range by this share of its width before the range, guessed or stated, is doubted. */
const OVERSHOOT = { samples: 0.05, said: 0.5 };
/** Less than this share of the range was seen: it may be another range. */
const MIN_SPAN = 0.1;

/** A sentence where the values seen make the range doubtful; undefined where they fit it. */
export function doubtOf({ output, range, from, minimum, maximum }: ImageFacts): string | undefined {
  if (range === 'unknown') return undefined;
  const [low, high] = BOUNDS[range];
  const width = high - low;
  const guessed = from === 'samples';
  const allowed = (guessed ? OVERSHOOT.samples : OVERSHOOT.said) * width;
  const beyond = minimum < low - allowed || maximum > high + allowed;
  const faint = guessed && maximum - minimum < MIN_SPAN * width;
  if (!beyond && !faint) return undefined;
  const taken = guessed ? `is taken for ${range}` : `is said to be in ${range}`;
  return `The output '${output}' ${taken}, which is doubtful: ${figure(minimum)} to ${figure(maximum)} was seen. Say its range with --range.`;
}

/** Why pictures of an unknown range are refused. */
export function rangeRefusal({ output, minimum, maximum }: ImageFacts): string {
  return `the values of its output '${output}' run from ${figure(minimum)} to ${figure(maximum)} at random latents, which is none of -1..1, 0..1 and 0..255. If it ends in logits, export it with its last Sigmoid or Tanh; else say its range with --range.`;
}

export function figure(value: number): string {
  return Number.isFinite(value) ? value.toFixed(2) : String(value);
}
