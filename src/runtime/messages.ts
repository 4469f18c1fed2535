/** Errors of ONNX Runtime, made readable. */
import { messageOf, RgiError } from '../errors.ts';

/** An error of ONNX Runtime as ours: the C++ source place and signature cut away, the node it names as location. */
export function runtimeError(doing: string, error: unknown): RgiError {
  if (error instanceof RgiError) return error;
  const text = readable(messageOf(error));
  const failed = /while running (\S+) node\. Name:'([^']*)' Status Message: (.*)$/.exec(text);
  if (failed) {
    const [, operator, node, reason] = failed;
    const message = `ONNX Runtime failed ${doing}, at ${operator} '${node}': ${reason}`;
    return new RgiError('runtime', message, { operator, node }, { cause: error });
  }
  return new RgiError('runtime', `ONNX Runtime failed ${doing}: ${text}`, {}, { cause: error });
}

/** "/onnxruntime_src/a.cc:12 R f(x) const condition was false. Text" becomes "Text". */
export function readable(message: string): string {
  return (
    message
      .replace(/\/\S*onnxruntime\S*\.(?:cc|h|cpp|cu):\d+ .*? was false\. /g, '')
      .replace(/\/\S*onnxruntime\S*\.(?:cc|h|cpp|cu):\d+ /g, '')
      // The frame that onnxruntime-web gives it.
      .replace(/^(?:Can't create a session|failed to call OrtRun\(\))\. ERROR_CODE: \d+, ERROR_MESSAGE: /, '')
      .replace(/\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : /g, '')
      .replace(/ Please fix either the inputs\/outputs or the model\./, '')
      .trim()
  );
}
