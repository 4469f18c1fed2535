/** Inference by the Open Inference Protocol in a process that computes: bytes in, bytes out, so that the server parses nothing. */

import { DEFAULT_POLICY } from '../../detect/stored-policy.ts';
import { stackImages } from '../../images/image.ts';
import { type Restoration, restoreImages } from '../../inversion/solve/restore.ts';
import { float32, type Tensor, tensorOf } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { datatypeOf } from '../oip/datatypes.ts';
import { bad, type InferRequest, parseInferRequest } from '../oip/request.ts';
import { type InferResponse, writeInferResponse } from '../oip/response.ts';
import { protocolName, tensorsOf } from '../oip/variants.ts';
import { restoreOptionsSchema } from '../options.ts';
import { checkSteps, methodOf } from './method.ts';
import type { Opened } from './opened.ts';
import type { InferOrder, OnProgress } from './orders.ts';

/** Pictures of one request. */
const MAX_BATCH = 64;

/** Options of a restoration that its parameters may hold; the others are about picture files. */
const parametersSchema = restoreOptionsSchema.omit({ fit: true, grey: true }).strip();

export async function infer(
  order: InferOrder,
  opened: Opened,
  runtime: Runtime,
  onProgress: OnProgress,
): Promise<InferResponse> {
  const request = parseInferRequest(order.body, order.headerLength);
  checkInputs(request, opened, order);
  const outputs =
    order.variant === 'generate'
      ? await (await opened.session()).run(request.inputs)
      : order.variant === 'restore'
        ? await restored(request, order, opened, runtime, onProgress)
        : await inspected(request, opened, onProgress);
  return writeInferResponse(protocolName(order.model.name, order.variant), request, outputs);
}

/** Names, datatypes and shapes as the metadata has them, one batch size for all. */
function checkInputs({ inputs }: InferRequest, { product }: Opened, { variant, maxPixels }: InferOrder): void {
  const expected = tensorsOf(product.generator, variant).inputs;
  const names = expected.map(({ name }) => name);
  for (const name of inputs.keys()) {
    if (!names.includes(name)) throw bad(`The model has no input '${name.slice(0, 100)}'; it has ${names.join(', ')}.`);
  }
  let batch: number | undefined;
  for (const { name, datatype, shape } of expected) {
    const tensor = inputs.get(name);
    if (!tensor) throw bad(`The input '${name}' is missing.`);
    if (datatypeOf(tensor.type) !== datatype) {
      throw bad(`The input '${name}' is ${datatypeOf(tensor.type)}; the model takes ${datatype}.`);
    }
    const { dims } = tensor;
    batch ??= dims[0];
    const fits = dims.length === shape.length && shape.every((size, axis) => size === -1 || size === dims[axis]);
    if (!fits || dims[0] !== batch)
      throw bad(
        `The input '${name}' is [${dims.join(', ')}]; the model takes [${shape.join(', ')}], and one batch size for all.`,
      );
    checkValues(name, tensor);
  }
  const { height, width } = product.generator;
  const most = Math.min(MAX_BATCH, Math.floor(maxPixels / (height * width)));
  if (!batch || batch > most) throw bad(`The batch holds ${batch ?? 0} pictures; 1 to ${most} are taken here.`);
}

/** Beyond this, values are no pictures in [-1, 1] with noise added, and no latents. */
const LARGEST = 32;

function checkValues(name: string, { data }: Tensor): void {
  for (let i = 0; i < data.length; i++) {
    if (!(Math.abs(Number(data[i])) <= LARGEST)) {
      throw bad(`The input '${name}' holds ${data[i]} at position ${i}; pictures are in [-1, 1], latents near 0.`);
    }
  }
}

async function restored(
  { inputs, parameters }: InferRequest,
  { maxSteps }: InferOrder,
  opened: Opened,
  runtime: Runtime,
  onProgress: OnProgress,
): Promise<Map<string, Tensor>> {
  const parsed = parametersSchema.safeParse(parameters);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw bad(`The parameter '${path.join('.')}': ${message}.`);
  }
  const { method, generator, reuse, thresholdGrey } = methodOf(opened, parsed.data, false);
  checkSteps(method, maxSteps);
  const { blend, grow } = parsed.data;
  const images = inputs.get('image') as Tensor<'float32'>;
  const results: Restoration[] = [];
  for await (const one of restoreImages({ generator, method, images, thresholdGrey, blend, grow, reuse }, runtime)) {
    results.push(one);
    onProgress(results.length / images.dims[0], 'restoring');
  }
  const all = (of: (one: Restoration) => Tensor<'float32'>) => stackImages(results.map(of));
  return new Map<string, Tensor>([
    ['restored', all((one) => one.restored)],
    ['composite', all((one) => one.composite)],
    ['mask', all((one) => one.mask)],
    ['soft_mask', all((one) => one.softMask)],
    ['residual', all((one) => one.residual)],
    ['misfit', float32(results.map((one) => one.misfit))],
  ]);
}

async function inspected(
  { inputs, parameters }: InferRequest,
  opened: Opened,
  onProgress: OnProgress,
): Promise<Map<string, Tensor>> {
  const { policy: name = DEFAULT_POLICY } = parameters;
  const inspector = await opened.inspector(await opened.policy(String(name)));
  const images = inputs.get('image') as Tensor<'float32'>;
  const [count, ...dims] = images.dims;
  const size = images.data.length / count;
  const pictures = Array.from({ length: count }, (_, i) =>
    float32(images.data.subarray(i * size, (i + 1) * size), [1, ...dims]),
  );
  const found = [];
  for (let from = 0; from < count; from += inspector.batch) {
    found.push(
      ...(await inspector.inspect(pictures.slice(from, from + inspector.batch), (share) =>
        onProgress((from + share * inspector.batch) / count, 'inspecting'),
      )),
    );
  }
  return new Map<string, Tensor>([
    ['score', float32(found.map(({ score }) => score))],
    [
      'defective',
      tensorOf(
        'bool',
        found.map(({ defective }) => Number(defective)),
      ),
    ],
    ['map', stackImages(found.map(({ map }) => map))],
    ['restored', stackImages(found.map((one) => one.restored))],
  ]);
}
