/** `rgi serve`: restoration and detection over HTTP. */
import type { Command } from 'commander';
import { serve } from '../service/node/serve.ts';
import { count, numberIn } from './arguments.ts';
import { EXIT, type ExitCode } from './failures.ts';
import { addText } from './help.ts';
import { type Io, say } from './io.ts';

export interface ServeFlags {
  readonly models: string;
  readonly host: string;
  readonly port: number;
  readonly threads?: number;
}

const EXAMPLES = `
Examples:
  rgi serve --models models
  curl --data-binary @photo.png \\
      'http://127.0.0.1:8080/v1/models/faces/restore?answer=composite.png' -o out.png`;

export function addServeOptions(command: Command): Command {
  command
    .requiredOption('--models <folder>', 'folder of the models: NAME.onnx, or NAME/generator.onnx')
    .option('--host <address>', 'address to listen on; 0.0.0.0 for all of the machine', '127.0.0.1')
    .option('--port <number>', 'port to listen on; 0 for any', numberIn({ integer: true, from: 0, to: 65535 }), 8080)
    .option('--threads <count>', 'CPU threads of each process', count);
  return addText(command, EXAMPLES);
}

export async function serveCommand(flags: ServeFlags, io: Io): Promise<ExitCode> {
  const { models, host, port, threads } = flags;
  const service = await serve({ models, host, port, threads });
  say(io, `Serving ${models} on ${service.url}`);
  await new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve();
    io.signal.addEventListener('abort', () => resolve());
  });
  await service.close();
  return EXIT.done;
}
