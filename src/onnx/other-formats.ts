/** Files that are given by mistake where an ONNX model is expected, known by their first bytes. */

const FORMATS: readonly (readonly [start: string, what: string])[] = [
  ['\x89PNG', 'a PNG picture'],
  ['\xff\xd8\xff', 'a JPEG picture'],
  ['GIF8', 'a GIF picture'],
  ['RIFF', 'a WebP picture or another RIFF file'],
  [
    'PK\x03\x04',
    'a zip archive (a PyTorch checkpoint, an .npz or a .keras file; export it with torch.onnx.export or tf2onnx)',
  ],
  ['\x80\x02', 'a Python pickle (a PyTorch checkpoint; export it with torch.onnx.export)'],
  ['\x80\x04', 'a Python pickle (export the network with torch.onnx.export)'],
  ['\x93NUMPY', 'a .npy array'],
  ['\x89HDF', 'an HDF5 file (Keras weights; export the model with tf2onnx)'],
  ['\x1f\x8b', 'a gzip archive (unpack it first)'],
  ['version https://git-lfs', 'a Git LFS pointer (fetch the file itself with git lfs pull)'],
  ['<', 'an HTML or XML text (was a web page downloaded instead of the model?)'],
  ['{', 'a JSON text'],
  ['%PDF', 'a PDF document'],
];

/** What the file is, as a noun, where it is known not to be a protobuf message; else undefined. */
export function kindOfFile(bytes: Uint8Array): string | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 64));
  if (start.slice(4, 8) === 'ORTM') return 'a model in the ORT format (use the .onnx file it was made from)';
  if (start.slice(4, 8) === 'TFL3') return 'a TensorFlow Lite model (convert it with tf2onnx)';
  if (start[8] === '{' && bytes.length > 8 && start.slice(4, 8) === '\0\0\0\0') {
    return 'a safetensors file (weights without a graph; export the network with torch.onnx.export)';
  }
  return FORMATS.find(([magic]) => start.startsWith(magic))?.[1];
}
