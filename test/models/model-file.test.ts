/** Opening models from disk: weights beside the file, and everything that can be wrong with paths. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RgiError } from '../../src/errors.ts';
import { openModel } from '../../src/models/node/model-file.ts';
import { numbersOf } from '../../src/onnx/tensor.ts';
import { handmade, node } from '../support/protos.ts';

const root = mkdtempSync(path.join(tmpdir(), 'rgi-model-'));
const folder = path.join(root, 'model');
mkdirSync(path.join(folder, 'weights'), { recursive: true });
const values = new Uint8Array(Float32Array.from([9, 1, 2, 3, 4]).buffer);
writeFileSync(path.join(folder, 'w.bin'), values);
writeFileSync(path.join(folder, 'weights', 'w.bin'), values);
writeFileSync(path.join(root, 'secret.bin'), values);
symlinkSync(path.join(root, 'secret.bin'), path.join(folder, 'link.bin'));
afterAll(() => rmSync(root, { recursive: true }));

function modelWith(location: string, more: Record<string, string> = { offset: '4', length: '16' }): string {
  const file = path.join(folder, 'g.onnx');
  const externalData = Object.entries({ location, ...more }).map(([key, value]) => ({ key, value }));
  writeFileSync(
    file,
    handmade({
      nodes: [node('Mul', 'x w', 'y')],
      initializers: [{ name: 'w', dims: [4n], dataType: 1, dataLocation: 1, externalData }],
    }),
  );
  return file;
}

/** The error's sentence, with the folder of this run written as FOLDER. */
async function refusal(file: string): Promise<string> {
  try {
    await openModel(file);
  } catch (error) {
    if (error instanceof RgiError) return `${error.code}: ${error.message.replaceAll(folder, 'FOLDER')}`;
    throw error;
  }
  throw new Error('The model was opened.');
}

describe('weights beside the model', () => {
  for (const location of ['w.bin', 'weights/w.bin', './weights/../w.bin']) {
    it(`are read from ${location}`, async () => {
      const { graph } = await openModel(modelWith(location));
      expect(numbersOf(graph.initializers.get('w')!)).toEqual([1, 2, 3, 4]);
    });
  }

  it('are refused where they lie outside, are missing, or are cut short', async () => {
    const refusals: Record<string, string> = {};
    const locations = [
      '../secret.bin',
      '/etc/passwd',
      'weights/../../secret.bin',
      '..\\secret.bin',
      'C:\\w.bin',
      'link.bin',
      'none.bin',
      'weights',
      '',
    ];
    for (const location of locations) refusals[location] = await refusal(modelWith(location));
    refusals['too short'] = await refusal(modelWith('w.bin', { offset: '8', length: '16' }));
    refusals['huge length'] = await refusal(modelWith('w.bin', { length: '99999999999999' }));
    refusals['negative offset'] = await refusal(modelWith('w.bin', { offset: '-4', length: '16' }));
    refusals['offset is no number'] = await refusal(modelWith('w.bin', { offset: 'x', length: '16' }));
    refusals['length is not the tensor'] = await refusal(modelWith('w.bin', { length: '8' }));
    expect(refusals).toMatchInlineSnapshot(`
      {
        "": "model: FOLDER/g.onnx: The model refers to weights in '', outside its own folder; that is refused. Put the file beside the model and save it with that location.",
        "../secret.bin": "model: FOLDER/g.onnx: The model refers to weights in '../secret.bin', outside its own folder; that is refused. Put the file beside the model and save it with that location.",
        "..\\secret.bin": "model: FOLDER/g.onnx: The model refers to weights in '..\\secret.bin', outside its own folder; that is refused. Put the file beside the model and save it with that location.",
        "/etc/passwd": "model: FOLDER/g.onnx: The model refers to weights in '/etc/passwd', outside its own folder; that is refused. Put the file beside the model and save it with that location.",
        "C:\\w.bin": "model: FOLDER/g.onnx: The model refers to weights in 'C:\\w.bin', outside its own folder; that is refused. Put the file beside the model and save it with that location.",
        "huge length": "model: FOLDER/g.onnx: Initialiser 'w' of shape [4] needs 16 bytes of float32 but the file holds 99999999999999: the model is damaged.",
        "length is not the tensor": "model: FOLDER/g.onnx: Initialiser 'w' of shape [4] needs 16 bytes of float32 but the file holds 8: the model is damaged.",
        "link.bin": "model: FOLDER/g.onnx: The model refers to weights in 'link.bin', outside its own folder; that is refused. Put the file beside the model and save it with that location.",
        "negative offset": "model: FOLDER/g.onnx: The file of its weights, 'w.bin', has 20 bytes; the model expects 16 from byte -4 on. Copy it again, whole.",
        "none.bin": "model: FOLDER/g.onnx: The file of its weights, 'none.bin', does not exist.",
        "offset is no number": "model: FOLDER/g.onnx: The offset of its weights in 'w.bin' is not a whole number: the model is damaged.",
        "too short": "model: FOLDER/g.onnx: The file of its weights, 'w.bin', has 20 bytes; the model expects 16 from byte 8 on. Copy it again, whole.",
        "weights": "model: FOLDER/g.onnx: The file of its weights, 'weights', is a folder, not a file.",
        "weights/../../secret.bin": "model: FOLDER/g.onnx: The model refers to weights in 'weights/../../secret.bin', outside its own folder; that is refused. Put the file beside the model and save it with that location.",
      }
    `);
  });
});

describe('files that cannot be opened', () => {
  it('are named with the reason', async () => {
    const large = path.join(folder, 'large.onnx');
    writeFileSync(large, '');
    truncateSync(large, 2 ** 31);
    writeFileSync(path.join(folder, 'empty.onnx'), '');
    expect({
      missing: await refusal(path.join(folder, 'missing.onnx')),
      folder: await refusal(folder),
      'below a file': await refusal(path.join(folder, 'w.bin', 'g.onnx')),
      'over 2 GiB': await refusal(large),
      empty: await refusal(path.join(folder, 'empty.onnx')),
    }).toMatchInlineSnapshot(`
      {
        "below a file": "model: FOLDER/w.bin/g.onnx: The file does not exist.",
        "empty": "model: FOLDER/empty.onnx: The file is empty.",
        "folder": "model: FOLDER: The file is a folder, not a file.",
        "missing": "model: FOLDER/missing.onnx: The file does not exist.",
        "over 2 GiB": "model: FOLDER/large.onnx: The file is 2.0 GiB; an ONNX file is at most 2 GiB. Save its weights beside it (onnx.save_model with save_as_external_data=True).",
      }
    `);
  });
});
