/** The memory of another process: read from /proc on Linux, by `ps` elsewhere; not watched where there is neither. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';

const INTERVAL_MS = process.platform === 'linux' ? 25 : 250;

/** Calls `exceed` once the process holds more than `megabytes`; returns what ends the watch. */
export function watchMemory(pid: number, megabytes: number, exceed: () => void): () => void {
  let watching = true;
  const look = async () => {
    const held = await residentMegabytes(pid);
    if (!watching) return;
    if (held !== undefined && held > megabytes) exceed();
    else timer = setTimeout(look, INTERVAL_MS);
  };
  let timer = setTimeout(look, INTERVAL_MS);
  return () => {
    watching = false;
    clearTimeout(timer);
  };
}

/** Undefined where it is unknown: the process has ended, or the platform has no `ps`. */
async function residentMegabytes(pid: number): Promise<number | undefined> {
  const text =
    process.platform === 'linux'
      ? /^VmRSS:\s*(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''))?.[1]
      : await new Promise<string>((resolve) => {
          execFile('ps', ['-o', 'rss=', '-p', String(pid)], (error, out) => resolve(error ? '' : out.trim()));
        });
  const kilobytes = Number(text || Number.NaN);
  return Number.isFinite(kilobytes) ? kilobytes / 1024 : undefined;
}
