/** `rgi studio`: the page that restores, inspects and explores in a browser; served, or written as a static site. */
import type { Command } from 'commander';
import { numberIn, onThisMachine } from './arguments.ts';
import { EXIT, type ExitCode } from './failures.ts';
import { addText } from './help.ts';
import { type Io, say } from './io.ts';

export interface StudioFlags {
  readonly port: number;
  readonly out?: string;
}

const EXAMPLES = `
Examples:
  rgi studio
  rgi studio --port 0
  rgi studio --out site

Everything is computed in the browser: no picture leaves it. Only this machine
can reach the server. With --out the same site, models included, is written
into a folder for any web server.`;

const port = numberIn({ integer: true, from: 0, to: 65535 });

export function addStudioOptions(command: Command): Command {
  command
    .option('--port <number>', 'port to listen on; 0 for any', port, 8090)
    .option('-o, --out <folder>', 'write the static site into a folder instead of serving it', onThisMachine);
  return addText(command, EXAMPLES);
}

/** Serves until it is interrupted; with --out it writes the site and ends. */
export async function studioCommand(flags: StudioFlags, io: Io): Promise<ExitCode> {
  // The other commands do not wait for the libraries of a server.
  if (flags.out !== undefined) {
    const { writeSite } = await import('../studio/node/site.ts');
    await writeSite(flags.out);
    say(io, `The studio is written: ${flags.out}. Any web server can serve it.`);
    return EXIT.done;
  }
  const { serveStudio } = await import('../studio/node/serve.ts');
  const studio = await serveStudio({ port: flags.port });
  say(io, `The studio is open on ${studio.url} (Ctrl-C ends it)`);
  await new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve();
    io.signal.addEventListener('abort', () => resolve());
  });
  await studio.close();
  return EXIT.done;
}
