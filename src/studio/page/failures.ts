/** What went wrong, as a sentence for the place where it belongs. */
import type { EngineFailure } from '../engine.ts';
import { texts } from './texts.ts';

/** A failure of the page itself: a file that is no picture, a camera that is not there. */
export class PageFailure extends Error {}

/** The sentence of anything that was thrown. */
export function sentenceOf(error: unknown): string {
  if (isEngineFailure(error)) return error.code === 'lost' ? texts.failures.lost(error.message) : error.message;
  if (error instanceof Error) return error.message;
  return texts.failures.unknown;
}

/** Was it ended by the user? */
export function wasStopped(error: unknown): boolean {
  return isEngineFailure(error) && error.code === 'stopped';
}

function isEngineFailure(error: unknown): error is EngineFailure {
  return typeof error === 'object' && error !== null && 'code' in error && 'message' in error;
}
