/**
 * The seam to the onnxruntime-node package: loaded when first needed (it has no build for some platforms, and that must
 * be one clear sentence, not a module-not-found), silenced, without telemetry.
 */
import { createRequire } from 'node:module';
import type * as Ort from 'onnxruntime-node';
import { messageOf, RgiError } from '../../errors.ts';
import { disableTelemetry } from './telemetry.ts';

export type { Ort };

const REMEDY = 'npm install --ignore-scripts';

let loaded: typeof Ort | undefined;

/** The package. Throws `RgiError('device')` where it cannot be loaded, or not without telemetry (`disableTelemetry`). */
export function onnxRuntime(): typeof Ort {
  if (loaded) return loaded;
  disableTelemetry();
  try {
    loaded = createRequire(import.meta.url)('onnxruntime-node') as typeof Ort;
  } catch (error) {
    throw loadError(error);
  }
  // Whatever it would print, it also throws; a library does not print.
  loaded.env.logLevel = 'fatal';
  return loaded;
}

/** Why the package could not be loaded, as a sentence with the remedy of README, "Install". */
export function loadError(error: unknown): RgiError {
  const message = messageOf(error);
  if (/^Cannot find (?:module|package) 'onnxruntime-node'/.test(message)) {
    return new RgiError(
      'device',
      `ONNX Runtime is not installed: npm leaves onnxruntime-node out where its install script fails, which fetches CUDA libraries from outside the npm registry. Run '${REMEDY}' in your project; CPU and WebGPU need no such library.`,
      {},
      { cause: error },
    );
  }
  return new RgiError(
    'device',
    `ONNX Runtime cannot be loaded on ${process.platform}-${process.arch}: ${firstSentence(message)} Run '${REMEDY}' again, on a platform that onnxruntime-node is built for (Linux and Windows on x64 and arm64, macOS on arm64).`,
    {},
    { cause: error },
  );
}

/** ONNX Runtime's version. */
export function onnxRuntimeVersion(): string {
  const { versions } = onnxRuntime().env;
  return versions.node ?? versions.common;
}

function firstSentence(text: string): string {
  const end = text.search(/[.;] |Require stack/);
  const sentence = (end < 0 ? text : text.slice(0, end)).trim();
  return sentence.endsWith('.') ? sentence : `${sentence}.`;
}
