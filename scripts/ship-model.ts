/**
 * Brings a trained model into models/NAME: the networks under their short names (the generator's metadata follow), its
 * policies, the record of its training, a grid of samples, and the card that is made from these.
 *
 *   npx tsx scripts/ship-model.ts TRAINED.onnx NAME --command "rgi train ... --out TRAINED.onnx ..."
 *   npx tsx scripts/ship-model.ts --cards     (writes the cards anew; --models FOLDER for another folder)
 *
 * Both write anew which models are known by their content: src/models/node/shipped.ts.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { storedCheckpoint } from '../src/gan/node/files.ts';
import { clip, type Image } from '../src/images/image.ts';
import { writeFileAtomic, writePicture } from '../src/images/node/write.ts';
import { imageGrid } from '../src/images/sheet.ts';
import { openGenerator } from '../src/inversion/generator/generator.ts';
import { encodeModel } from '../src/onnx/encode.ts';
import { withMetadata } from '../src/onnx/metadata.ts';
import { readModel } from '../src/onnx/read.ts';
import { randomFrom } from '../src/random.ts';
import { nodeRuntime } from '../src/runtime/node/onnxruntime.ts';
import { modelCard, shippedModels, type TrainingRecord } from './model-card.ts';

const SAMPLES = { count: 24, perRow: 8, seed: 1 };
/** Points of the loss curves that are kept. */
const POINTS = 60;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    command: { type: 'string' },
    cards: { type: 'boolean' },
    models: { type: 'string', default: path.resolve(import.meta.dirname, '../models') },
  },
});
if (values.cards) {
  for (const folder of shippedModels(values.models)) await writeCard(folder);
} else {
  const [trained, name] = positionals;
  if (!trained || !name) throw new Error('Say what is shipped, and as what: TRAINED.onnx NAME --command "..."');
  await ship(trained, path.join(values.models, name), values.command);
}
if (!process.argv.includes('--models')) await writeHashes(values.models);

async function ship(trained: string, folder: string, command: string | undefined): Promise<void> {
  const base = trained.replace(/\.onnx$/i, '');
  const bytes = readFileSync(trained);
  const { metadata } = readModel(bytes);
  const companions = JSON.parse(metadata.get('rgi.companions') ?? '{}') as Record<string, { file: string }>;
  for (const [role, companion] of Object.entries(companions)) {
    const short = `${role}.onnx`;
    await writeFileAtomic(path.join(folder, short), readFileSync(path.join(path.dirname(trained), companion.file)));
    companion.file = short;
  }
  const renamed = withMetadata(bytes, new Map([['rgi.companions', JSON.stringify(companions)]]));
  await writeFileAtomic(path.join(folder, 'generator.onnx'), renamed);
  const policies = `${base}.policy.npz`;
  if (existsSync(policies)) await writeFileAtomic(path.join(folder, 'generator.policy.npz'), readFileSync(policies));
  const record = await recordOf(base, path.join(folder, 'training.json'), command);
  await writeFileAtomic(path.join(folder, 'training.json'), `${JSON.stringify(record, null, 1)}\n`);
  await writePicture(path.join(folder, 'samples.png'), await samplesOf(path.join(folder, 'generator.onnx')));
  await writeCard(folder);
}

/** The run's checkpoint thinned; a linear model has none. The command stays what it was unless a new one is given. */
async function recordOf(base: string, before: string, command: string | undefined): Promise<TrainingRecord> {
  const stored = await storedCheckpoint(path.join(`${base}.training`, 'checkpoint.npz'));
  const earlier = existsSync(before) ? (JSON.parse(readFileSync(before, 'utf8')) as TrainingRecord) : undefined;
  const said = command ?? earlier?.command;
  if (said === undefined) throw new Error('Give the command that trained it, with --command.');
  const { losses = [], coverage = [], events = [] } = stored?.record ?? {};
  const every = Math.max(1, Math.ceil(losses.length / POINTS));
  const thin = losses.filter((_, i) => i % every === 0 || i === losses.length - 1);
  return { command: said, coverage: coverage.map(short), losses: thin.map(short), events };
}

/** Numbers to five digits: nobody reads more of a curve. */
function short<T extends object>(point: T): T {
  return JSON.parse(JSON.stringify(point, (_, v) => (typeof v === 'number' ? Number(v.toPrecision(5)) : v))) as T;
}

async function samplesOf(file: string): Promise<Image> {
  const runtime = nodeRuntime();
  const generator = await openGenerator(readModel(readFileSync(file)).graph, runtime);
  const latents = await generator.draw(SAMPLES.count, randomFrom(SAMPLES.seed));
  const session = await runtime.session(encodeModel(generator.graph));
  const images = (await session.run(latents, [generator.output])).get(generator.output) as Image;
  await session.dispose();
  await runtime.dispose();
  const scale = Math.max(1, Math.round(96 / generator.height));
  return imageGrid(clip(images), { gap: 2, scale, perRow: SAMPLES.perRow });
}

async function writeCard(folder: string): Promise<void> {
  const file = path.join(folder, 'README.md');
  await writeFileAtomic(file, modelCard(folder));
  console.log(file);
}

/** The list of models that need no trial. */
async function writeHashes(models: string): Promise<void> {
  const lines = [...shippedModels(models), path.join(models, 'features')].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.onnx'))
      .sort()
      .map((name) => {
        const sha256 = createHash('sha256')
          .update(readFileSync(path.join(folder, name)))
          .digest('hex');
        return `  '${sha256}', // ${path.basename(folder)}/${name}\n`;
      }),
  );
  const file = path.resolve(import.meta.dirname, '../src/models/node/shipped.ts');
  const head =
    '/** The models of this package by their content (SHA-256), written by scripts/ship-model.ts: they need no trial. */\n';
  await writeFileAtomic(
    file,
    `${head}export const SHIPPED_MODELS: ReadonlySet<string> = new Set([\n${lines.join('')}]);\n`,
  );
}
