/** What a manifest must name to be repeated: the program's version, its file's hashes. */
export { sha256Of } from '../files/node/hash.ts';
export { VERSION } from '../jobs/node/program.ts';
