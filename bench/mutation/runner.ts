/** Runs tests of an instrumented copy in a process that is started again where a change hangs or ends it. */
import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import type { Answered, Asked } from './server.ts';

export interface Runner {
  /** What the tests say; a failure where they take more than `limit` seconds, or end the process. */
  run(asked: Asked, limit: number): Promise<Answered>;
  close(): void;
}

/** @param shared The folder of the reference data. */
export function openRunner(root: string, shared: string): Runner {
  let server: Promise<ChildProcess> | undefined;
  const close = async () => {
    const child = await server;
    server = undefined;
    // Its threads, too: an endless loop answers no message.
    child?.kill('SIGKILL');
  };
  return {
    async run(asked, limit) {
      server ??= started(root, shared);
      const files = asked.files.map((file) => path.join(root, file));
      const answered = await answerOf(await server, { ...asked, files }, limit);
      if (answered === undefined) await close();
      return answered ?? { failure: 'the process ended, or took too long', seconds: limit };
    },
    close: () => void close(),
  };
}

function started(root: string, shared: string): Promise<ChildProcess> {
  const child = fork(path.join(import.meta.dirname, 'server.ts'), [root], {
    cwd: root,
    env: { ...process.env, RGI_SHARED: shared, ORT_DISABLE_TELEMETRY: '1' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    child.once('message', () => resolve(child));
    child.once('exit', (code) => reject(new Error(`the process that runs the tests ended with ${code}`)));
  });
}

/** undefined: the process ended, or the time did. */
function answerOf(child: ChildProcess, asked: Asked, limit: number): Promise<Answered | undefined> {
  return new Promise((resolve) => {
    const settle = (answered: Answered | undefined) => {
      clearTimeout(timer);
      child.off('exit', ended);
      child.off('message', settle);
      resolve(answered);
    };
    const ended = () => settle(undefined);
    const timer = setTimeout(ended, 1000 * limit);
    child.once('exit', ended);
    child.once('message', settle);
    child.send(asked);
  });
}
