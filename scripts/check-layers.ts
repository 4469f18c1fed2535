/**
 * `npm run layers`: prints every broken rule of layering as file:line, and exits 1 if there is one. With `--facts` it also
 * counts rooms, floors, arrows and circles.
 */
import { describeFacts, factsOf } from './facts.ts';
import { checkLayers, checkOutside, OUTSIDE } from './layers.ts';
import { readSources } from './sources.ts';

const files = readSources();
const violations = [...checkLayers(files), ...checkOutside(readSources(OUTSIDE))];
for (const { file, line, rule } of violations) console.error(`${file}:${line}: ${rule}`);
console.log(`layers: ${files.size} files, ${violations.length} broken rules`);
if (process.argv.includes('--facts')) for (const line of describeFacts(factsOf(files))) console.log(line);
process.exitCode = violations.length > 0 ? 1 : 0;
