/** `npm run layers`: prints every broken rule of layering as file:line, and exits 1 if there is one. */

import { checkLayers, checkOutside, OUTSIDE } from './layers.ts';
import { readSources } from './sources.ts';

const files = readSources();
const violations = [...checkLayers(files), ...checkOutside(readSources(OUTSIDE))];
for (const { file, line, rule } of violations) console.error(`${file}:${line}: ${rule}`);
console.log(`layers: ${files.size} files, ${violations.length} broken rules`);
process.exitCode = violations.length > 0 ? 1 : 0;
