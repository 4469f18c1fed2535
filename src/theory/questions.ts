/** The page's questions: each with its answer, one figure, and the details folded away. */
import { chartGrid, folded } from '../pages/components.ts';
import { type Html, html } from '../pages/html.ts';
import type { Section } from '../pages/shell.ts';
import {
  caseName,
  fractionAnswer,
  gapAnswer,
  picturesAnswer,
  relativesAnswer,
  searchesAnswer,
  theoremsAnswer,
  tuningAnswer,
  weakAnswer,
} from './answers.ts';
import {
  againstLevel,
  alongThresholds,
  alongTuning,
  type Line,
  MEASURES,
  standingChart,
  type TuningLine,
  tuningCharts,
} from './curves.ts';
import { ESTIMATORS, type EstimatorName } from './estimators.ts';
import type { PathCell, PathExperiment, Theory, TuningCell } from './record.ts';
import { lowestOf } from './summary.ts';
import { endTable, pathTable, relativesTable, tuningTable } from './texts.ts';

/** A question for each experiment that was made. */
export function questionsOf({ cells }: Pick<Theory, 'cells'>): Section[] {
  const paths = cells.filter((cell) => cell.kind === 'path');
  const of = (experiment: PathExperiment) => paths.filter((cell) => cell.experiment === experiment);
  const asked = <T>(own: readonly T[], ...ask: readonly ((own: readonly T[]) => Section | undefined)[]) =>
    own.length === 0 ? [] : ask.flatMap((one) => one(own) ?? []);
  return [
    ...asked(of('path'), theorems, searches),
    ...asked(of('fraction'), fraction),
    ...asked(of('weak'), weak),
    ...asked(of('gap'), gap),
    ...asked(of('pictures'), pictures),
    ...asked(of('relatives'), (own) => relatives(own, of('path'))),
    ...asked(
      cells.filter((cell) => cell.kind === 'tuning'),
      tuning,
    ),
  ];
}

interface Question {
  readonly id: string;
  readonly question: string;
  readonly short: string;
  readonly answer: string;
  readonly figure: Html | undefined;
  /** How it was tried, in a sentence or two. */
  readonly how: string;
  readonly details: readonly (Html | undefined)[];
}

function screen({ id, question, short, answer, figure, how, details }: Question): Section {
  const rest = details.flatMap((one) => one ?? []);
  return {
    id,
    title: question,
    short,
    screen: true,
    content: html`<p class="answer">${answer}</p>
${figure}
${folded('How it was tried, all charts and numbers', [html`<p>${how}</p>`, ...rest])}`,
  };
}

function theorems(cells: readonly PathCell[]): Section {
  const cases = [...new Set(cells.map((cell) => cell.case))];
  const lowest = cells.map(
    (cell, style): Line => ({
      label: `${cell.case}, ${label(cell)}`,
      cell,
      style,
      lowest: true,
      band: cells.length <= 4,
    }),
  );
  return screen({
    id: 'theorems',
    question: 'Do the errors vanish as lambda falls to 0?',
    short: 'Theorems',
    answer: theoremsAnswer(cells),
    figure: alongThresholds('Error of the image at the lowest known minimum', RMS, lowest, MEASURES.rms, LOG),
    how: 'Random z*, G(z*) corrupted with a known mask, lambda lowered step by step; see "What is tried" at the end of this page.',
    details: [
      endTable(cells),
      ...cases.map((name) => {
        const own = cells.filter((cell) => cell.case === name);
        const lines = own.flatMap((cell, i): Line[] => [
          { label: `${label(cell)}: found`, cell, style: 2 * i },
          { label: `${label(cell)}: lowest known`, cell, style: 2 * i + 1, lowest: true, band: false },
        ]);
        const charts = chartGrid([
          alongThresholds('Error of the image', RMS, lines, MEASURES.rms, LOG),
          alongThresholds('Error where corrupted', RMS, lines, MEASURES.inside, LOG),
          alongThresholds('Error of z', '||z - z*|| / ||z*||', lines, MEASURES.z, LOG),
          alongThresholds('Error of the mask', '||M - M*||, mean over the pixels', lines, MEASURES.distance),
        ]);
        return html`<h3>${caseName(name)}</h3>${charts}${folded('All errors at each threshold', own.map(pathTable))}`;
      }),
    ],
  });
}

function searches(cells: readonly PathCell[]): Section | undefined {
  const figure = standingChart(cells);
  return (
    figure &&
    screen({
      id: 'searches',
      question: 'Do the searches find that minimum?',
      short: 'Searches',
      answer: searchesAnswer(cells),
      figure,
      how: 'No search can be known to be global, so one more begins at z* at each threshold. Where it ends lower, the others sit in a local minimum or were not followed to the end of a flat valley, and the theorem is not to blame.',
      details: [],
    })
  );
}

function fraction(cells: readonly PathCell[]): Section {
  const share = 'share of corrupted pixels';
  return screen({
    id: 'fraction',
    question: 'How much of a picture may be corrupted?',
    short: 'Corrupted share',
    answer: fractionAnswer(cells),
    figure: againstLevel(
      'Error of the image at the last threshold',
      share,
      RMS,
      cells,
      [
        { label: 'found', style: 0, errors: (point) => point.search, measure: MEASURES.rms },
        { label: 'lowest known', style: 1, errors: lowestOf, measure: MEASURES.rms },
      ],
      LOG,
    ),
    how: `Random pixels, N(-1,1), ${label(cells[0])}. With more than about half corrupted, z* need not leave the fewest mismatched pixels.`,
    details: [
      chartGrid([
        alongThresholds(
          'Error of the image',
          RMS,
          byLevel(cells, (level) => `${100 * level}% corrupted`),
          MEASURES.rms,
          LOG,
        ),
        againstLevel(
          'The mask at the last threshold',
          share,
          'share',
          cells,
          [
            {
              label: 'intact pixels masked',
              style: 0,
              errors: (point) => point.search,
              measure: MEASURES.falsePositives,
            },
            { label: 'corrupted pixels missed', style: 1, errors: (point) => point.search, measure: MEASURES.misses },
          ],
          SHARE,
        ),
      ]),
      endTable(cells),
    ],
  });
}

function weak(cells: readonly PathCell[]): Section {
  const lines = byLevel(cells, (level) => `deviation ${level}`);
  return screen({
    id: 'weak',
    question: 'What if the corruption is faint?',
    short: 'Faint corruption',
    answer: weakAnswer(cells),
    figure: alongThresholds('Error of the image', RMS, lines, MEASURES.rms, LOG),
    how: `A block of a quarter of the picture, G(z*) + N(0, s), ${label(cells[0])}. What lies below the threshold is not masked and pulls z.`,
    details: [
      chartGrid([alongThresholds('Corrupted pixels missed', 'share', lines, MEASURES.misses, SHARE)]),
      endTable(cells),
    ],
  });
}

function gap(cells: readonly PathCell[]): Section {
  const lines = byLevel(cells, (level) => `gap ${level}`);
  return screen({
    id: 'gap',
    question: 'What if the generator cannot make the picture?',
    short: 'Off the manifold',
    answer: gapAnswer(cells),
    figure: alongThresholds('Error of the image', RMS, lines, MEASURES.rms, LOG),
    how: `A smooth random field is added to the clean picture; the gap is its standard deviation in grey levels. 49% random pixels are corrupted, ${label(cells[0])}. No z leaves residual 0: below the gap, intact pixels are masked.`,
    details: [
      chartGrid([alongThresholds('Intact pixels masked', 'share', lines, MEASURES.falsePositives, SHARE)]),
      endTable(cells),
    ],
  });
}

function pictures(cells: readonly PathCell[]): Section {
  const lines = cells.map((cell, style): Line => ({ label: cell.case, cell, style }));
  return screen({
    id: 'pictures',
    question: 'How well are given pictures restored?',
    short: 'Given pictures',
    answer: picturesAnswer(cells),
    figure: alongThresholds('Error of the image', RMS, lines, MEASURES.rms, LOG),
    how: 'Pictures that the generator did not make: a gap by nature.',
    details: [chartGrid([alongThresholds('Mask', 'IoU', lines, MEASURES.iou, SHARE)]), endTable(cells)],
  });
}

const ORDER: readonly EstimatorName[] = ['rgi-l2', 'rgi-l1', 'truncated', 'rgi-huber', 'huber', 'absolute', 'squares'];

function relatives(cells: readonly PathCell[], path: readonly PathCell[]): Section {
  const groups = [...new Set(cells.map((cell) => cell.case))].map((name) => {
    const own = [...path, ...cells].filter((cell) => cell.case === name);
    return ORDER.flatMap((estimator) => own.filter((cell) => cell.estimator === estimator));
  });
  const count = Math.min(...groups.flat().map((cell) => cell.points[0].search.length));
  const chartsOf = (own: readonly PathCell[]) => {
    const lines = own.map(
      (cell): Line => ({
        label: label(cell),
        cell,
        style: ORDER.indexOf(cell.estimator),
        first: count,
        band: false,
      }),
    );
    const name = caseName(own[0].case);
    return [
      alongThresholds(`Error of the image: ${name}`, RMS, lines, MEASURES.rms, LOG),
      alongThresholds(`Error of z: ${name}`, '||z - z*|| / ||z*||', lines, MEASURES.z, LOG),
    ];
  };
  const [[figure, ...others], ...rest] = groups.map(chartsOf);
  return screen({
    id: 'relatives',
    question: 'Do other M-estimators do as well?',
    short: 'M-estimators',
    answer: relativesAnswer(groups, count),
    figure,
    how: "With the exact mask put back, RGI is an M-estimator: squares up to the threshold and bounded beyond (a redescending loss like Geman and McClure's), or truncated absolute values. Beside it, from the same starts, with the same optimiser and on the same pictures: least squares; least absolute values; Huber's loss, which Winsorises the residuals in the normal equations; truncated squares, which Winsorise them in the loss (RGI with M in {0,1}); and Huber's loss under RGI's exact mask.",
    details: [chartGrid([...others, ...rest.flat()]), ...groups.map((own) => relativesTable(own, count))],
  });
}

function tuning(cells: readonly TuningCell[]): Section {
  const groups = new Map<string, TuningCell[]>();
  for (const cell of cells) {
    const key = `${cell.gap} ${cell.level}`;
    groups.set(key, [...(groups.get(key) ?? []), cell]);
  }
  const found = cells.filter((cell) => !cell.maskGiven);
  const lines = found.map((cell, style): TuningLine => ({ label: gapName(cell), cell, style }));
  return screen({
    id: 'tuning',
    question: 'Does R-RGI close the gap, or does it fit the corruption?',
    short: 'R-RGI',
    answer: tuningAnswer(cells),
    figure: alongTuning('Error outside the corruption, mask found', RMS, lines, ({ errors }) =>
      errors.map((one) => one.rmsOutside),
    ),
    how: 'The clean picture is G(z*) plus a smooth field, or made by a G whose weights were perturbed. The default search (RGI) comes first; then the weights move at a constant rate. Block of a quarter, N(-1,1).',
    details: [
      ...[...groups.values()].map(
        (group) =>
          html`<h3>Gap: ${gapName(group[0])}, RMS to G(z*) ${group[0].gapGrey.toPrecision(2)}</h3>${chartGrid(tuningCharts(group))}`,
      ),
      tuningTable(cells),
    ],
  });
}

const RMS = 'RMS, grey levels';
const LOG = { scale: 'log' } as const;
const SHARE = { yRange: [0, 1] } as const;

function gapName({ gap: kind, level }: TuningCell): string {
  return kind === 'smooth' ? `a smooth field of ${level} grey levels` : `weights perturbed by ${100 * level}%`;
}

function byLevel(cells: readonly PathCell[], name: (level: number) => string): Line[] {
  return cells.map((cell, style): Line => ({ label: name(cell.level ?? 0), cell, style, band: false }));
}

function label({ estimator }: PathCell): string {
  return ESTIMATORS[estimator].label;
}
