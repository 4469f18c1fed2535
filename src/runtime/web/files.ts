/** Where the files of onnxruntime-web lie; in a file of its own, so that our declarations need none of the package's. */

/** Addresses of the two files of one of its builds, or of the folder where they lie. */
export type BuildFiles = string | { readonly wasm: string; readonly mjs: string };
