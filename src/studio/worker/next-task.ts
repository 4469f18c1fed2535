/**
 * Resolves in a later task: a worker sees messages of its page between two tasks only. A timer would wait for at least 4 ms, since browsers
 * hold up timers that timers set.
 */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
