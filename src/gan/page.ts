/** The page of a training run, of networks and of linear generators: samples, pictures held out, charts, settings. */
import { lineChart, type Series } from '../pages/chart.ts';
import { chartGrid, factList, settingBlock, tiles } from '../pages/components.ts';
import { type Html, html } from '../pages/html.ts';
import { picture } from '../pages/picture.ts';
import { pageHead, pageOf, type Section } from '../pages/shell.ts';
import { bestOf, type CoveragePoint, type DataFacts, type RunRecord } from './record.ts';

export interface PagePictures {
  /** PNG as data URLs. */
  readonly samples: string;
  readonly reconstructions: string;
}

/** What the page of a linear generator tells. */
export interface LinearRecord {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly data: DataFacts;
  readonly coverage: CoveragePoint;
  /** Variances along the components, falling. */
  readonly eigenvalues: readonly number[];
  /** The share of the pictures' variance that the components hold. */
  readonly explained: number;
  readonly seconds: number;
}

/** Of a network: as far as it has come, or once it is done. */
export function trainingPage(
  title: string,
  record: RunRecord,
  pictures: PagePictures,
  secondsLeft?: number,
): Promise<string> {
  const { settings, data, losses, coverage, events } = record;
  const step = Math.max(0, ...losses.map((p) => p.step));
  const best = bestOf(coverage);
  return runPage({
    title,
    pictures,
    data,
    coverage: coverage.at(-1),
    numbers: [['steps', `${step} of ${settings.steps}`]],
    facts: [
      ['Time', `${duration(record.seconds)}${secondsLeft ? `, about ${duration(secondsLeft)} left` : ''}`],
      [
        'Generator',
        `${settings.architecture}, ${data.channels} x ${data.size} x ${data.size}, z of ${settings.latent}`,
      ],
      [
        'Models',
        best ? `those of step ${best.step}, where the mean of coverage and hidden centre is best` : 'none written yet',
      ],
    ],
    charts: networkCharts(record),
    events,
    settings,
  });
}

/** A picture that looks defective, or nearly so. */
export interface ShownSuspect {
  readonly name: string;
  readonly score: number;
  /** Was it left out? */
  readonly isOut: boolean;
  /** PNG as a data URL. */
  readonly source: string;
}

/** Of a linear generator; with `suspects` where the pictures were screened. */
export function linearPage(
  title: string,
  record: LinearRecord,
  pictures: PagePictures,
  suspects?: readonly ShownSuspect[],
): Promise<string> {
  const { settings, data, coverage, eigenvalues, explained, seconds } = record;
  return runPage({
    title,
    pictures,
    data,
    coverage,
    numbers: [
      ['components', String(eigenvalues.length)],
      ["of the pictures' variance held by them", `${(100 * explained).toFixed(1)}%`],
    ],
    facts: [
      ['Time', duration(seconds)],
      ['Generator', `linear, ${data.channels} x ${data.size} x ${data.size}, z of ${eigenvalues.length}`],
    ],
    charts: linearCharts(record),
    events: [],
    settings,
    suspects,
  });
}

interface Run {
  readonly title: string;
  readonly pictures: PagePictures;
  readonly data: DataFacts;
  /** The last measurement. */
  readonly coverage?: CoveragePoint;
  readonly numbers: readonly (readonly [label: string, value: string])[];
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly charts: readonly (Html | undefined)[];
  readonly events: readonly string[];
  readonly settings: object;
  readonly suspects?: readonly ShownSuspect[];
}

function runPage({
  title,
  pictures,
  data,
  coverage,
  numbers,
  facts,
  charts,
  events,
  settings,
  suspects,
}: Run): Promise<string> {
  const unmeasured = 'not yet';
  const decibels = (value: number | undefined) => (value === undefined ? unmeasured : `${value.toFixed(1)} dB`);
  const broken = data.broken > 0 ? `, ${data.broken} broken ones left out` : '';
  const defective = data.leftOut ? `, ${data.leftOut} left out as defective` : '';
  return pageOf({
    title,
    kind: 'training',
    style: suspects ? SUSPECT_STYLE : '',
    head: pageHead(
      title,
      tiles([
        ['coverage: PSNR of pictures held out, median', decibels(coverage?.median)],
        ['the same, worst picture', decibels(coverage?.worst)],
        ['with the centre hidden, median', decibels(coverage?.block)],
        ...numbers,
      ]),
      factList([['Pictures', `${data.pictures} for training, ${data.held} held out${broken}${defective}`], ...facts]),
    ),
    sections: [
      ...suspectSection(suspects),
      {
        id: 'samples',
        title: 'Samples',
        content: picture(
          {
            source: pictures.samples,
            caption: "The generator's pictures of random latents, always the same ones.",
            alt: 'A sheet of samples of the generator',
          },
          'sheet',
        ),
      },
      {
        id: 'held-out',
        title: 'Pictures held out, and what the generator reaches of them',
        short: 'Pictures held out',
        content: picture(
          {
            source: pictures.reconstructions,
            caption:
              'Upper rows: good pictures it was not trained on. Lower rows: the nearest that it makes, found by plain inversion. Coverage is the PSNR between the two; for the hidden centre the search does not see the middle quarter of the upper picture.',
            alt: 'Rows of pictures held out, each above a row of what the generator reaches',
          },
          'sheet',
        ),
      },
      { id: 'charts', title: 'Charts', content: chartGrid(charts) ?? html`<p>Nothing yet.</p>` },
      ...eventSection(events),
      {
        id: 'settings',
        title: 'Settings, to repeat it',
        short: 'Settings',
        content: html`${settingBlock('Training', settings)}${settingBlock('Data', data)}`,
      },
    ],
    footer: html`<p>Made by rgi. The models hold these facts too: <code>rgi inspect</code> prints them.</p>`,
  });
}

const SUSPECT_STYLE =
  '.suspects{display:grid;grid-template-columns:repeat(auto-fill,minmax(9rem,1fr));gap:1rem}.suspects figcaption{overflow-wrap:anywhere;font-size:.85rem}';

function suspectSection(suspects: readonly ShownSuspect[] | undefined): Section[] {
  if (!suspects) return [];
  const isAnyOut = suspects.some(({ isOut }) => isOut);
  const figures = suspects.map(({ name, score, isOut, source }) => {
    const kept = isAnyOut && !isOut ? ', kept' : '';
    return picture({ source, caption: `${name}: ${score.toFixed(2)}${kept}`, alt: `The picture ${name}` });
  });
  const said = isAnyOut
    ? html`<p>The most suspect first, each with its score. They were left out, but for those marked as kept. The list suspects.csv holds all pictures: where this is wrong, correct its column 'defective', and train again with --without and this list.</p>`
    : html`<p>No picture stands apart from the others, and none was left out. These are the least like the others, each with its score. The list suspects.csv holds all pictures: where one is defective, write yes in its column 'defective', and train again with --without and this list.</p>`;
  return [
    {
      id: 'suspects',
      title: isAnyOut ? 'Pictures that look defective' : 'Pictures least like the others',
      short: isAnyOut ? 'Suspects' : 'Least alike',
      content: html`${said}<div class="suspects">${figures}</div>`,
    },
  ];
}

function eventSection(events: readonly string[]): Section[] {
  if (events.length === 0) return [];
  return [{ id: 'events', title: 'Events', content: html`<ul>${events.map((event) => html`<li>${event}</li>`)}</ul>` }];
}

function networkCharts({ losses, coverage, settings: { steps } }: RunRecord): (Html | undefined)[] {
  const curve = (label: string, style: number, name: keyof (typeof losses)[number], of = (value: number) => value) => ({
    label,
    style,
    points: losses.flatMap((p) => (p[name] === undefined ? [] : [[p.step, of(p[name])] as const])),
  });
  const measured = (label: string, style: number, of: (point: CoveragePoint) => number): Series => ({
    label,
    style,
    points: coverage.map((point) => [point.step, of(point)]),
  });
  const axes = { xLabel: 'step', xRange: [0, steps] as const };
  return [
    {
      ...axes,
      title: 'Quality',
      yLabel: 'PSNR, dB',
      series: [
        measured('coverage, median', 0, (point) => point.median),
        measured('coverage, worst', 1, (point) => point.worst),
        measured('hidden centre', 2, (point) => point.block),
        // A mean squared error in [-1,1], whose range is 2.
        curve('training pictures', 3, 'reconstruction', (mse) => 10 * Math.log10(4 / Math.max(mse, 1e-12))),
      ],
    },
    {
      ...axes,
      title: 'Adversarial losses',
      yLabel: 'loss',
      series: [curve('discriminator', 0, 'discriminator'), curve('generator', 1, 'adversarial')],
    },
  ].map(lineChart);
}

function linearCharts({ eigenvalues, explained }: LinearRecord): (Html | undefined)[] {
  const whole = eigenvalues.reduce((sum, value) => sum + value, 0);
  let held = 0;
  const cumulative = eigenvalues.map((value, i): [number, number] => {
    held += value;
    return [i + 1, (explained * held) / whole];
  });
  return [
    lineChart({
      title: 'Variance held by the first components',
      xLabel: 'components',
      yLabel: "share of the pictures' variance",
      yRange: [0, 1],
      series: [{ label: 'share', style: 0, points: cumulative }],
    }),
    lineChart({
      title: 'Spectrum',
      xLabel: 'component',
      yLabel: 'variance along it',
      scale: 'log',
      series: [{ label: 'variance', style: 1, points: eigenvalues.map((value, i) => [i + 1, value]) }],
    }),
  ];
}

/** "3 h 20 min", "45 s". */
export function duration(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
