/** The engine that the page computes with. */
export { createEngine } from '../client/index.ts';
