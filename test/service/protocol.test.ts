/** Requests as the published protocol and its clients send them (KServe's "Open Inference Protocol v2", Triton's binary tensor data extension). */

import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPicture } from '../../src/images/node/read.ts';
import { MODELS, ready, startService, type TestService } from './support.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

describe('Open Inference Protocol v2', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService({ maxPixels: 32 * 32 * 40 });
    await ready(service);
  });
  afterAll(() => service?.close());

  const infer = (model: string, body: unknown) =>
    service.post(`/v2/models/${model}/infer`, JSON.stringify(body), JSON_TYPE);
  const z = (rows: number) => Array.from({ length: rows * 128 }, (_, i) => Math.sin(i));

  it('answers health and metadata in the published form', async () => {
    const json = async (where: string) => (await service.get(where)).json();
    expect(await json('/v2/health/live')).toEqual({ live: true });
    expect(await json('/v2/health/ready')).toEqual({ ready: true });
    expect(await json('/v2')).toMatchObject({ name: 'rgi', extensions: ['binary_tensor_data', 'model_repository'] });
    expect((await json('/v2/models')).models).toEqual([
      'bsd-pitting',
      'bsd-pitting.restore',
      'bsd-pitting.detect',
      'cartoon-faces',
      'cartoon-faces.restore',
      'fashion-trousers',
      'fashion-trousers.restore',
    ]);
    const index = await (await service.post('/v2/repository/index', '{}', JSON_TYPE)).json();
    expect(index[0]).toEqual({ name: 'bsd-pitting', version: '1', state: 'READY' });
    expect(await json('/v2/models/fashion-trousers/versions/1/ready')).toEqual({
      name: 'fashion-trousers',
      ready: true,
    });
    expect(await json('/v2/models/fashion-trousers.restore')).toMatchObject({
      name: 'fashion-trousers.restore',
      versions: ['1'],
      platform: 'rgi_onnx',
      inputs: [{ name: 'image', datatype: 'FP32', shape: [-1, 1, 32, 32] }],
    });
  });

  it('runs the generator on a JSON tensor, flat as in the protocol and nested as numpy.tolist() has it', async () => {
    const { inputs } = await (await service.get('/v2/models/fashion-trousers')).json();
    const [{ name, shape }] = inputs;
    const size = shape.slice(1).reduce((a: number, b: number) => a * b, 1);
    const values = z(2).slice(0, 2 * size);
    const ask = { id: '42', inputs: [{ name, shape: [2, ...shape.slice(1)], datatype: 'FP32', data: values }] };
    const flat = await (await infer('fashion-trousers', ask)).json();
    expect(flat).toMatchObject({ model_name: 'fashion-trousers', model_version: '1', id: '42' });
    expect(flat.outputs[0]).toMatchObject({ datatype: 'FP32', shape: [2, 1, 32, 32] });
    const nested = { inputs: [{ ...ask.inputs[0], data: [values.slice(0, size), values.slice(size)] }] };
    expect((await (await infer('fashion-trousers', nested)).json()).outputs).toEqual(flat.outputs);
  });

  it('restores a picture sent as bytes, and answers with bytes, as tritonclient does', async () => {
    const file = path.join(MODELS, 'fashion-trousers/pictures/00097.png');
    const { image } = await readPicture(file, { channels: 1 });
    const bytes = new Uint8Array((image.data as Float32Array).slice().buffer);
    const head = new TextEncoder().encode(
      JSON.stringify({
        inputs: [{ name: 'image', shape: [1, 1, 32, 32], datatype: 'FP32', parameters: { binary_data_size: 4096 } }],
        outputs: [
          { name: 'composite', parameters: { binary_data: true } },
          { name: 'misfit', parameters: { binary_data: false } },
        ],
        parameters: { steps: 5 },
      }),
    );
    const body = new Uint8Array([...head, ...bytes]);
    const headers = {
      'inference-header-content-length': String(head.length),
      'content-type': 'application/octet-stream',
    };
    const answer = await service.post('/v2/models/fashion-trousers.restore/infer', body, headers);
    expect(answer.status).toBe(200);
    const length = Number(answer.headers.get('inference-header-content-length'));
    const got = new Uint8Array(await answer.arrayBuffer());
    const { outputs } = JSON.parse(new TextDecoder().decode(got.subarray(0, length)));
    expect(outputs[0]).toEqual({
      name: 'composite',
      shape: [1, 1, 32, 32],
      datatype: 'FP32',
      parameters: { binary_data_size: 4096 },
    });
    expect(outputs[1]).toMatchObject({ name: 'misfit', shape: [1], datatype: 'FP32' });
    expect(got.length - length).toBe(4096);
    const composite = new Float32Array(got.slice(length).buffer);
    expect(Math.min(...composite)).toBeGreaterThanOrEqual(-1);
    // What is not masked is the picture itself.
    expect(composite.filter((v, i) => v === image.data[i]).length).toBeGreaterThan(500);
  });

  it('inspects a picture, batched', async () => {
    const { inputs } = await (await service.get('/v2/models/bsd-pitting.detect')).json();
    expect(inputs).toHaveLength(1);
    const [, c, h, w] = inputs[0].shape;
    const answer = await infer('bsd-pitting.detect', {
      inputs: [{ name: 'image', shape: [1, c, h, w], datatype: 'FP32', data: Array(c * h * w).fill(0) }],
      outputs: [{ name: 'score' }, { name: 'defective' }],
    });
    const { outputs } = await answer.json();
    expect(outputs).toMatchObject([
      { name: 'score', datatype: 'FP32', shape: [1] },
      { name: 'defective', datatype: 'BOOL', shape: [1], data: [true] },
    ]);
  });

  const image = { name: 'image', shape: [1, 1, 32, 32], datatype: 'FP32', data: Array(1024).fill(0) };
  const wrong = (what: object) => ({ inputs: [{ ...image, ...what }] });
  it.each<[string, string, unknown, string]>([
    ['no JSON', 'fashion-trousers.restore', undefined, 'The body is no JSON'],
    ['no inputs', 'fashion-trousers.restore', {}, "The request's inputs: "],
    ['an input that is missing', 'fashion-trousers.restore', { inputs: [] }, "The input 'image' is missing."],
    [
      'another input',
      'fashion-trousers.restore',
      { inputs: [image, { ...image, name: 'x' }] },
      "The model has no input 'x'; it has image.",
    ],
    ['an input twice', 'fashion-trousers.restore', { inputs: [image, image] }, "The input 'image' is given twice."],
    [
      'another datatype',
      'fashion-trousers.restore',
      wrong({ datatype: 'FP64' }),
      "The input 'image' is FP64; the model takes FP32.",
    ],
    [
      'a datatype that is none',
      'fashion-trousers.restore',
      wrong({ datatype: 'BYTES' }),
      "The input 'image' is BYTES; ",
    ],
    [
      'another shape',
      'fashion-trousers.restore',
      wrong({ shape: [1, 1, 16, 64] }),
      "The input 'image' is [1, 1, 16, 64]; the model takes [-1, 1, 32, 32], and one batch size for all.",
    ],
    [
      'fewer values',
      'fashion-trousers.restore',
      wrong({ data: [0] }),
      "The input 'image' has fewer values than its shape [1, 1, 32, 32] needs.",
    ],
    [
      'a shape beyond all memory',
      'fashion-trousers.restore',
      wrong({ shape: [2 ** 40, 2 ** 40] }),
      "The input 'image' has fewer values than its shape",
    ],
    [
      'text among the values',
      'fashion-trousers.restore',
      wrong({ data: [...Array(1023).fill(0), 'x'] }),
      'The input \'image\' holds "x" at position 1023; it is no float32.',
    ],
    [
      'values that are no picture',
      'fashion-trousers.restore',
      wrong({ data: Array(1024).fill(255) }),
      "The input 'image' holds 255 at position 0; pictures are in [-1, 1], latents near 0.",
    ],
    ['another output', 'fashion-trousers', { inputs: [], outputs: [{ name: 'x' }] }, "The input '"],
    [
      'too large a batch',
      'fashion-trousers.restore',
      wrong({ shape: [64, 1, 32, 32], data: Array(65536).fill(0) }),
      'The batch holds 64 pictures; 1 to 40 are taken here.',
    ],
    [
      'a wrong parameter',
      'fashion-trousers.restore',
      { inputs: [image], parameters: { steps: 'many' } },
      "The parameter 'steps': ",
    ],
    [
      'bytes that are not there',
      'fashion-trousers.restore',
      wrong({ data: undefined, parameters: { binary_data_size: 4096 } }),
      "The input 'image' has binary_data_size 4096; 0 bytes are left of the body.",
    ],
  ])('refuses %s', async (_, model, body, sentence) => {
    const answer = await infer(model, body);
    const { error } = await answer.json();
    expect([answer.status, error.slice(0, sentence.length)]).toEqual([400, sentence]);
  });

  it('refuses models that are not there, with an error in the form of the protocol', async () => {
    for (const model of ['nothing', 'fashion-trousers.detect', '..%2f..%2fetc', 'fashion-trousers.restore.restore']) {
      const answer = await infer(model, { inputs: [] });
      expect([model, answer.status, Object.keys(await answer.json())]).toEqual([model, 404, ['error']]);
    }
  });

  it('takes JSON of lists in lists without end', async () => {
    const deep = `{"inputs":[{"name":"image","shape":[1,1,32,32],"datatype":"FP32","data":${'['.repeat(100_000)}${']'.repeat(100_000)}}]}`;
    const answer = await service.post('/v2/models/fashion-trousers.restore/infer', deep, JSON_TYPE);
    expect(answer.status).toBe(400);
  });
});
