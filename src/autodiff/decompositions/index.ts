/** All composite operators by name, with how each is written out in primitives. */
import type { DecompositionTable } from '../decomposition.ts';
import { gridSample } from './grid-sample.ts';
import { reduceProd } from './product.ts';

export const DECOMPOSITIONS: DecompositionTable = { GridSample: gridSample, ReduceProd: reduceProd };
