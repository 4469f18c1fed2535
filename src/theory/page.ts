/** The page of the experiments: a screen per question, then what is tried, and the settings. */
import { command, factList, settingBlock, warning } from '../pages/components.ts';
import { type Html, html } from '../pages/html.ts';
import { pageHead, pageOf, type Section } from '../pages/shell.ts';
import { questionsOf } from './questions.ts';
import type { Theory } from './record.ts';

const TITLE = 'Theorems of RGI as an experiment';

/** One self-contained HTML page. */
export function theoryPage(theory: Theory): Promise<string> {
  const unfinished =
    !theory.complete && warning('Not complete:', 'experiments are missing. The same command with --resume adds them.');
  const lead = html`<p>RGI minimises L((1-M)x, (1-M)G(z)) + lambda ||M|| over z and M. Its theorems say when z and M go to the true z* and M* as lambda goes to 0. One question fills a screen; the details fold out.</p>`;
  return pageOf({
    title: TITLE,
    kind: 'theory',
    head: pageHead(TITLE, unfinished, lead, facts(theory)),
    sections: [...questionsOf(theory), intro(theory), settings(theory)],
    style: 'main>.head,main>section,footer{max-width:67rem}',
    footer: html`<p>Made by rgi ${theory.versions.rgi ?? ''}. theory.json and theory.csv hold the numbers of every picture.</p>`,
  });
}

function facts({ settings, invariance, notes }: Theory): Html {
  const generator = settings.generator as { readonly file: string; readonly image: readonly number[] };
  return factList([
    ['Generator', `${generator.file}, ${generator.image.join(' x ')}`],
    ['Latents', `${String(settings.count)}, seed ${String(settings.seed)}`],
    [
      'Search',
      `${String(settings.starts)} starts out of ${String(settings.pool)}, ${String(settings.steps)} steps at each threshold`,
    ],
    ['Errors of z', invariance.sentence],
    ...notes.map((note) => ['Note', note] as const),
  ]);
}

function intro({ settings }: Theory): Section {
  return {
    id: 'what',
    title: 'What is tried',
    short: 'Method',
    content: html`<p>The theorems assume that x = G(z*) except in a corrupted region, that z* leaves the fewest mismatched pixels, that every corrupted pixel differs from G(z*), and that the minimum is the global one.</p>
<p>Here z* is drawn, G(z*) corrupted with a known mask, and lambda lowered step by step. It is given as the residual, in grey levels of 255, at which a pixel starts to be masked. ${String(settings.starts)} searches run side by side from robustly chosen latents, the k-th from the k-th threshold; the one of the lowest objective counts (<em>found</em>). No search can be known to be global, so one more begins at z* at each threshold. <em>Lowest known</em> is the lower of both: what the theorems speak of.</p>
<p>Lines are medians over the latents, bands the quartiles. Errors of the image are RMS of G(z) minus the clean picture in grey levels; those of z are relative to ||z*||; ||M - M*|| is the mean over the pixels.</p>`,
  };
}

function settings({ command: text, settings, versions, device, seconds }: Theory): Section {
  return {
    id: 'settings',
    title: 'Settings, to repeat it',
    short: 'Settings',
    content: html`${command(text)}${settingBlock('All settings', { ...settings, versions, device, seconds })}`,
  };
}
