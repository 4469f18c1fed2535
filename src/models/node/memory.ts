/** The memory that this process may use: of the machine, or of the container that it runs in. */
import { totalmem } from 'node:os';

/** Bytes. A container without a limit reports none, or more than the machine has. */
export function usableMemory(): number {
  const limit = process.constrainedMemory?.() || Number.POSITIVE_INFINITY;
  return Math.min(totalmem(), limit);
}
