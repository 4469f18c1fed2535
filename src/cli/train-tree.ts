/** `rgi train --by folder`: of each folder in a tree a model and its policy, and one page about all of them. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { FALSE_ALARMS } from '../detect/calibrate.ts';
import { calibrationFacts, oddAbove } from '../detect/calibration-facts.ts';
import { readPolicy } from '../detect/node/policy-files.ts';
import { DEFAULT_POLICY } from '../detect/stored-policy.ts';
import { messageOf, RgiError } from '../errors.ts';
import { isFolder } from '../files/node/regular.ts';
import { contentOf, treeOf } from '../images/node/walk.ts';
import { writeFileAtomic } from '../images/node/write.ts';
import { openModel } from '../models/node/model-file.ts';
import { factList, noteLists } from '../pages/components.ts';
import { html } from '../pages/html.ts';
import { pageHead, pageOf } from '../pages/shell.ts';
import { numberCell, table, tableRow, textCell } from '../pages/table.ts';
import { calibrateCommand } from './detect/calibrate.ts';
import { EXIT, type ExitCode } from './failures.ts';
import { type Io, say } from './io.ts';
import type { TrainFlags } from './train-flags.ts';

/** Trains one folder; `train` of `train.ts`. */
type TrainOne = (folder: string, flags: TrainFlags, io: Io) => Promise<ExitCode>;

interface Product {
  readonly name: string;
  readonly model: string;
}

/** Folders one after the other; one that cannot be used is named, and the others are done (exit code 4). */
export async function trainTree(tree: string, flags: TrainFlags, io: Io, trainOne: TrainOne): Promise<ExitCode> {
  if (/\.onnx$/i.test(flags.out))
    throw new RgiError(
      'usage',
      `--out ${flags.out}: with --by folder give a folder; each model is named after its own.`,
    );
  const own = (['minutes', 'resume', 'without'] as const).find((name) => flags[name] !== undefined);
  if (own)
    throw new RgiError('usage', `--${own} applies to one model: leave out --by folder, and train that folder alone.`);
  const folders = await foldersOf(tree, flags.out);
  const done: Product[] = [];
  const failed: { file: string; reason: string }[] = [];
  for (const folder of folders) {
    const name = path.basename(folder);
    const model = path.join(flags.out, `${name}.onnx`);
    if (!flags.quiet) say(io, `${name}:`);
    const code = await withPolicy(folder, { ...flags, out: model }, io, trainOne).catch((error: unknown) => {
      if (io.signal.aborted) return EXIT.interrupted;
      failed.push({ file: folder, reason: messageOf(error) });
      say(io, `error: ${folder}: ${messageOf(error)}`);
      return EXIT.partly;
    });
    if (code === EXIT.interrupted) return code;
    if (code === EXIT.done) done.push({ name, model });
    else if (failed.at(-1)?.file !== folder) failed.push({ file: folder, reason: 'its model could not be written.' });
  }
  const page = path.join(flags.out, 'index.html');
  if (done.length > 0) {
    await writeFileAtomic(page, await pageAbout(tree, done, failed));
    if (!flags.quiet)
      say(io, `${done.length} of ${folders.length} folders have a model and a policy. All of them: ${page}`);
  }
  if (done.length === 0) return EXIT.unusable;
  return failed.length > 0 ? EXIT.partly : EXIT.done;
}

/** Folders directly in the tree that hold pictures, at any depth; that of the models is none. */
async function foldersOf(tree: string, out: string): Promise<string[]> {
  if (!(await isFolder(tree))) throw new RgiError('input', `${tree} is not a folder.`, { file: tree });
  const folders: string[] = [];
  for (const folder of (await contentOf(tree)).folders)
    if (path.resolve(folder) !== path.resolve(out) && (await treeOf(folder)).pictures.length > 0) folders.push(folder);
  if (folders.length === 0)
    throw new RgiError(
      'input',
      `${tree} has no folders with pictures in it: --by folder needs one for each product or view.`,
      { file: tree },
    );
  return folders;
}

async function withPolicy(folder: string, flags: TrainFlags, io: Io, trainOne: TrainOne): Promise<ExitCode> {
  const code = await trainOne(folder, flags, io);
  if (code !== EXIT.done) return code;
  const { device, threads, quiet, features, featureRange, featureLayers, seed = 0 } = flags;
  const generator = flags.out;
  const compared = { features, featureRange, featureLayers };
  const job = { generator, name: DEFAULT_POLICY, falseAlarms: FALSE_ALARMS.image, seed, device, threads, quiet };
  return calibrateCommand(folder, { ...job, ...compared }, io);
}

async function pageAbout(
  tree: string,
  products: readonly Product[],
  failed: readonly { readonly file: string; readonly reason: string }[],
): Promise<string> {
  const rows = [];
  for (const { name, model } of products) {
    const { metadata } = await openModel(model);
    const policy = await readPolicy(model, { metadata });
    const { drawnDefects } = calibrationFacts(policy);
    const { image } = policy.thresholds;
    const odd = oddAbove(policy).map((picture) => picture.name);
    const training = path.join(`${name}.training`, 'index.html');
    const link = existsSync(path.join(path.dirname(model), training))
      ? html`<a href="${encodeURI(training)}">${name}</a>`
      : name;
    rows.push(
      tableRow(link, [
        numberCell(Number(policy.calibration.unseen), String(policy.calibration.unseen)),
        numberCell(drawnDefects?.imageAuroc, drawnDefects?.imageAuroc.toFixed(2) ?? ''),
        numberCell(drawnDefects?.pixelAp, drawnDefects?.pixelAp.toFixed(2) ?? ''),
        numberCell(image, image.toFixed(2)),
        textCell(odd.join(', ') || 'none'),
        textCell(html`<code>rgi detect NEW -g ${path.basename(model)} --out FOUND</code>`),
      ]),
    );
  }
  const title = `Products of ${path.basename(path.resolve(tree))}`;
  return pageOf({
    title,
    kind: 'training',
    head: pageHead(title, factList([['Folders', `${products.length} with a model and a policy`]])),
    sections: [
      {
        id: 'products',
        title: 'Models and policies',
        content: table({
          name: 'Models and policies',
          about:
            'Defects were drawn on good pictures; how well they were found says whether real ones can be. Good pictures above the limit may be defective: take them out and train again.',
          head: [
            'product',
            'good pictures that set limits',
            'drawn defects: image AUROC',
            'pixel AP',
            'limit of a picture',
            'good pictures above it',
            'to inspect',
          ],
          rows,
        }),
      },
      ...(failed.length > 0
        ? [{ id: 'failed', title: 'Folders without a model', content: noteLists([], failed) }]
        : []),
    ],
    footer: html`<p>Made by rgi train --by folder.</p>`,
  });
}
