/** `rgi detect`: opens the model and its policy, examines the pictures, writes scores and manifest as it goes. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { readPolicy } from '../../detect/node/policy-files.ts';
import { type DetectRecord, detectFiles } from '../../detect/node/run.ts';
import { settingsOf } from '../../detect/policy.ts';
import { RgiError } from '../../errors.ts';
import { csvText } from '../../evaluate/tables.ts';
import { expandInputs } from '../../images/node/inputs.ts';
import { writeFileAtomic } from '../../images/node/write.ts';
import { createRuntime } from '../../runtime/node/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { EXIT, type ExitCode } from '../failures.ts';
import { inputOptions } from '../inputs.ts';
import { type Io, jsonText, printJsonLine, say } from '../io.ts';
import { progressLine } from '../progress.ts';
import { checkFolder } from '../restore/command.ts';
import { sha256Of, sha256OfText, VERSION } from '../version.ts';
import type { DetectFlags } from './flags.ts';
import { openProduct } from './model.ts';

const FILES = { manifest: 'manifest.json', results: 'results.jsonl', scores: 'scores.csv' } as const;

export async function detectCommand(patterns: readonly string[], flags: DetectFlags, io: Io): Promise<ExitCode> {
  const sources = await expandInputs(patterns, inputOptions(flags, io));
  await checkFolder(flags.out);
  const runtime = await createRuntime({ device: flags.device, threads: flags.threads, worker: io.worker });
  try {
    return await detectOn(runtime, sources, flags, io);
  } finally {
    await runtime.dispose();
  }
}

async function detectOn(
  runtime: Runtime,
  sources: Awaited<ReturnType<typeof expandInputs>>,
  flags: DetectFlags,
  io: Io,
): Promise<ExitCode> {
  const product = await openProduct(runtime, flags);
  const policy = await readPolicy(flags.generator, product.model, flags.policy);
  const { generator, encoder, encoderFile } = product;
  const described = async (file: string | undefined) =>
    file === undefined ? undefined : { file, sha256: await sha256Of(file) };
  const run = {
    policy: { name: policy.name, ...settingsOf(policy) },
    generator: await described(flags.generator),
    encoder: await described(encoderFile),
    options: { input: flags.input ?? [], latent: flags.latent, batch: flags.batch },
  };
  // Where a network lies does not matter, its hash does.
  const key = sha256OfText(JSON.stringify(run, (name, value: unknown) => (name === 'file' ? undefined : value)));
  const earlier = flags.resume ? await earlierRecords(flags.out, key) : [];
  const manifest = (records: readonly DetectRecord[], complete: boolean) => ({
    format: 1,
    kind: 'detect',
    complete,
    key,
    versions: { rgi: VERSION, onnxruntime: runtime.version, node: process.versions.node },
    device: runtime.device,
    threads: flags.threads ?? 'default',
    ...run,
    mapScale: { black: 0, white: policy.displayHigh, colours: 'cubehelix (Green 2011)' },
    notes: product.notes,
    pictures: records.length,
    failed: records.filter((record) => record.status === 'failed').length,
    defective: records.filter((record) => record.defective).length,
  });
  const put = (name: string, text: string) => writeFileAtomic(path.join(flags.out, name), text);
  const save = async (records: readonly DetectRecord[], complete: boolean) => {
    await put(FILES.results, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
    await put(FILES.scores, scoresCsv(records));
    await put(FILES.manifest, jsonText(manifest(records, complete)));
  };
  const progress = progressLine(io, flags.quiet ?? false);
  if (!flags.quiet) for (const note of product.notes) say(io, `note: ${note}`);
  let saved = performance.now();
  const { records, interrupted } = await detectFiles(
    {
      generator,
      encoder,
      policy,
      batch: flags.batch,
      signal: io.signal,
      sources,
      out: flags.out,
      earlier,
      hashOf: sha256Of,
    },
    runtime,
    {
      onProgress: (done, total, what) => progress.show(done, total, what),
      async onRecord(record, all) {
        progress.clear();
        if (flags.json) printJsonLine(io, record);
        if (record.status === 'failed') say(io, `error: ${record.message}`);
        else if (!flags.quiet) say(io, lineOf(record));
        if (performance.now() - saved < SAVE_MS) return;
        await save(all, false);
        saved = performance.now();
      },
    },
  );
  progress.clear();
  await save(records, !interrupted);
  const done = records.filter((record) => record.status === 'done').length;
  if (interrupted) {
    say(io, `Interrupted; ${done} done. The same command with --resume goes on where it stopped.`);
    return EXIT.interrupted;
  }
  const defective = records.filter((record) => record.defective).length;
  if (!flags.quiet) say(io, `${defective} of ${done} pictures are defective; results in ${flags.out}`);
  if (done === records.length) return EXIT.done;
  return done > 0 ? EXIT.partly : EXIT.unusable;
}

/** Lists of thousands of pictures are not written anew for each. */
const SAVE_MS = 5000;

function lineOf({ name, defective, score, defects = [], message }: DetectRecord): string {
  const regions = defects.length === 1 ? '1 region' : `${defects.length} regions`;
  const found = defective || defects.length > 0 ? `, ${regions}` : '';
  return `${name}: ${defective ? 'defective' : 'good'}${found}, score ${score!.toPrecision(3)}${message ? ` (${message})` : ''}`;
}

function scoresCsv(records: readonly DetectRecord[]): string {
  const rows = records.map((record) => [
    record.name,
    record.path,
    record.status,
    record.score ?? '',
    record.status === 'done' ? (record.defective ? 'defective' : 'good') : '',
    record.defects?.length ?? '',
    record.markedShare?.toPrecision(4) ?? '',
    record.message ?? '',
  ]);
  const head = ['name', 'path', 'status', 'score', 'verdict', 'defects', 'marked_share', 'message'];
  return csvText([head, ...rows]);
}

const manifestSchema = z.looseObject({ format: z.literal(1), kind: z.literal('detect'), key: z.string() });
const recordSchema = z.looseObject({ name: z.string(), path: z.string(), status: z.enum(['done', 'failed']) });

/** The records of an earlier run of the same key in `folder`; none if there was none. Throws where the options differ. */
async function earlierRecords(folder: string, key: string): Promise<DetectRecord[]> {
  const file = path.join(folder, FILES.manifest);
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return [];
  const parsed = manifestSchema.safeParse(parsedJson(text));
  if (!parsed.success) {
    throw new RgiError('input', `${file} is no manifest of a detect run; take another --out, or leave out --resume.`, {
      file,
    });
  }
  if (parsed.data.key !== key) {
    throw new RgiError(
      'usage',
      `${file} is of a run with another model, policy or options, which cannot be resumed with these; take another --out, or leave out --resume.`,
      { file },
    );
  }
  const lines = (await readFile(path.join(folder, FILES.results), 'utf8').catch(() => '')).split('\n').filter(Boolean);
  return lines.flatMap((line) => {
    const record = recordSchema.safeParse(parsedJson(line));
    return record.success ? [record.data as unknown as DetectRecord] : [];
  });
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
