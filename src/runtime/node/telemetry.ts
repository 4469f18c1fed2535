/**
 * Telemetry off. ONNX Runtime's builds for Linux and macOS contain a telemetry SDK, which is on by default: it leaves an
 * identifier of the machine and a store of events in the home folder, and uploads the events (docs/Privacy.md of ONNX
 * Runtime). The variable below keeps all of it from starting; it is read once, when ONNX Runtime is first used.
 */
import { isMainThread } from 'node:worker_threads';
import { RgiError } from '../../errors.ts';

const VARIABLE = 'ORT_DISABLE_TELEMETRY';

/**
 * Turns ONNX Runtime's telemetry off for this process. It must be called before ONNX Runtime is loaded, and before a
 * thread that loads it is started; child processes inherit it. Throws `RgiError('device')` in a worker thread that cannot
 * do so: a thread with an environment of its own does not reach that of the process.
 */
export function disableTelemetry(): void {
  process.env[VARIABLE] = '1';
  // Windows has no such SDK: events go to the system's own tracing, where nothing is recorded unless someone listens.
  if (isMainThread || process.platform === 'win32' || processEnvironment()[VARIABLE] === '1') return;
  throw new RgiError(
    'device',
    `ONNX Runtime's telemetry cannot be turned off from this worker thread, which has an environment of its own. Start the thread with \`env: SHARE_ENV\`, or set ${VARIABLE}=1 in the main thread before starting it.`,
  );
}

/** The variables that native code sees; in a worker thread `process.env` is usually a copy. */
function processEnvironment(): Readonly<Record<string, string | undefined>> {
  // Known to Node from 20.13 on, but not to its types.
  const report: NodeJS.ProcessReport & { excludeNetwork?: boolean } = process.report;
  const { excludeNetwork } = report;
  // The report would look up the names of all connected hosts.
  report.excludeNetwork = true;
  try {
    return (report.getReport() as { environmentVariables: Record<string, string> }).environmentVariables;
  } finally {
    report.excludeNetwork = excludeNetwork;
  }
}
