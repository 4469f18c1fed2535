/** Weights that an ONNX file keeps in other files; apart from the decoder, whose declarations need the protobuf package. */

/**
 * Gives `length` bytes from `offset` on of the file that a model names `location`: all that follow `offset` where `length`
 * is undefined. `location` is what the model says, and is to be distrusted: it may name a place outside of the model's folder.
 */
export type ExternalData = (location: string, offset: number, length: number | undefined) => Uint8Array;
