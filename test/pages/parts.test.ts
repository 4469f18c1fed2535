/** The parts of pages: templates that escape, charts whose marks lie where the numbers say. */
import { parseHTML } from 'linkedom/worker';
import { describe, expect, test } from 'vitest';
import { dotChart, lineChart } from '../../src/pages/chart.ts';
import { command, factList, noteLists, tiles } from '../../src/pages/components.ts';
import { escapeHtml, type Html, html } from '../../src/pages/html.ts';
import { numberCell, table, tableRow } from '../../src/pages/table.ts';
import { HOSTILE } from '../report/made.ts';

const parsed = (part: Html) => parseHTML(`<body>${part.html}</body>`).document;

describe('templates', () => {
  test('values are escaped, what a template made is not', () => {
    const inner = html`<b title="${`"x'`}">${'<&>'}</b>`;
    expect(html`<p>${inner}${[inner]}${undefined}${false}${7}</p>`.html).toBe(`<p>${inner.html}${inner.html}7</p>`);
    expect(inner.html).toBe('<b title="&quot;x&#39;">&lt;&amp;&gt;</b>');
  });

  test('characters that HTML forbids are replaced', () => {
    expect(escapeHtml('a\u0000b\u001bc\ud800d\ne')).toBe('a\ufffdb\ufffdc\ufffdd\ne');
  });
});

describe('components', () => {
  test('facts and tiles leave out what is not there', () => {
    expect(
      factList([
        ['a', '1<2'],
        ['b', undefined],
      ]).html,
    ).toBe('<dl class="facts"><dt>a</dt><dd>1&lt;2</dd></dl>');
    expect(
      tiles([
        ['pictures', '3'],
        ['cases', undefined],
      ])!.html,
    ).toBe('<dl class="tiles"><div><dt>pictures</dt><dd>3</dd></div></dl>');
    expect(tiles([['cases', undefined]])).toBeUndefined();
  });

  test('notes and unusable files are lists, a command is text', () => {
    expect(noteLists([], []).html).toBe('');
    expect(noteLists(['n'], [{ file: '<f>', reason: 'It is empty.' }]).html).toBe(
      '<h3>Notes</h3><ul><li>n</li></ul><h3>Unusable pictures</h3><ul><li>&lt;f&gt;: It is empty.</li></ul>',
    );
    expect(command('a > b').html).toBe('<div class="command"><pre>a &gt; b</pre></div>');
  });

  test('a table has heads, a name and the numbers it is sorted by', () => {
    const document = parsed(
      table({ name: 'Scores', head: ['Method', 'PSNR'], rows: [tableRow('rgi', [numberCell(21.04, '21.0')])] }),
    );
    expect([...document.querySelectorAll('th')].map((one) => [one.getAttribute('scope'), one.textContent])).toEqual([
      ['col', 'Method'],
      ['col', 'PSNR'],
      ['row', 'rgi'],
    ]);
    expect(document.querySelector('td')!.getAttribute('data-value')).toBe('21.04');
    expect(document.querySelector('table')!.getAttribute('aria-label')).toBe('Scores');
  });
});

/** The corners of a chart's lines, in its own coordinates. */
function linesOf(part: Html): [x: number, y: number][][] {
  const paths = [...parsed(part).querySelectorAll('figure > svg g[fill="none"] path[d^="M"]')]
    .filter((path) => !path.hasAttribute('transform'))
    .map((path) => path.getAttribute('d')!);
  return paths.map((d) => [...d.matchAll(/([-\d.]+),([-\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]));
}

describe('line charts', () => {
  const chart = { title: 'Loss & more', xLabel: 'step', yLabel: 'loss' };

  test('on logarithmic axes equal factors are equal distances', () => {
    const points = [
      [1, 1000],
      [10, 100],
      [100, 1],
      [1000, 0.1],
    ] as const;
    const [line] = linesOf(
      lineChart({ ...chart, scale: 'log', xScale: 'log', series: [{ label: 'a', style: 0, points }] })!,
    );
    const [dx, dy] = [0, 1].map((k) => line.slice(1).map((corner, i) => corner[k] - line[i][k]));
    for (const step of dx) expect(step).toBeCloseTo(dx[0], 1);
    expect(dy[0]).toBeGreaterThan(0);
    expect(dy[1] / dy[0]).toBeCloseTo(2, 2);
    expect(dy[2] / dy[0]).toBeCloseTo(1, 2);
  });

  test('on linear axes with fixed ranges corners lie where the numbers say, the smaller the lower', () => {
    const points = [
      [0, 0],
      [0.25, 0.5],
      [1, 1],
    ] as const;
    const ranges = { xRange: [0, 1], yRange: [0, 1] } as const;
    const [[a, b, c]] = linesOf(lineChart({ ...chart, ...ranges, series: [{ label: 'a', style: 1, points }] })!);
    expect((b[0] - a[0]) / (c[0] - a[0])).toBeCloseTo(0.25, 2);
    expect((b[1] - a[1]) / (c[1] - a[1])).toBeCloseTo(0.5, 2);
    expect(a[1]).toBeGreaterThan(c[1]);
  });

  test('what cannot be drawn is left out; a chart of nothing is none', () => {
    const bad = [
      [0, Number.NaN],
      [1, 0],
      [2, -1],
    ] as const;
    expect(lineChart({ ...chart, scale: 'log', series: [{ label: 'a', style: 0, points: bad }] })).toBeUndefined();
    const points = [
      [0, 1],
      [1, Number.POSITIVE_INFINITY],
    ] as const;
    const one = lineChart({ ...chart, scale: 'log', series: [{ label: 'a', style: 9, points }] })!;
    expect(one.html).not.toMatch(/NaN|Infinity/);
  });

  test('it has a name, a key and a table of values; parts of the drawing have no names of their own', () => {
    const series = [HOSTILE, 'b'].map((label, style) => ({
      label,
      style,
      points: [
        [0, 1],
        [10, 0.25],
      ] as const,
    }));
    const document = parsed(lineChart({ ...chart, series })!);
    const svg = document.querySelector('figure > svg')!;
    expect(svg.getAttribute('role')).toBe('img');
    expect(svg.getAttribute('aria-label')).toBe('Loss & more. loss against step; the values are in the table below.');
    expect(svg.querySelectorAll('[aria-label]')).toHaveLength(0);
    expect([...document.querySelectorAll('.key li')].map((item) => item.textContent)).toEqual([HOSTILE, 'b']);
    expect(
      [...document.querySelectorAll('tr')].map((row) => [...row.children].map((cell) => cell.textContent)),
    ).toEqual([
      ['step', HOSTILE, 'b'],
      ['0', '1', '1'],
      ['10', '0.25', '0.25'],
    ]);
    expect(document.querySelectorAll('script, img')).toHaveLength(0);
  });

  test('colours are the page\u2019s, so that they follow light and dark; there are no style elements or attributes', () => {
    const band = [
      [0, 1, 3],
      [1, 2, 4],
    ] as const;
    const series = [
      {
        label: 'a',
        style: 5,
        points: [
          [0, 2],
          [1, 3],
        ] as const,
        band,
      },
    ];
    const { html: text } = lineChart({ ...chart, series, reference: { label: 'limit', y: 2.5 } })!;
    const colours = [...text.matchAll(/ (?:fill|stroke)="([^"]*)"/g)].map(([, colour]) => colour);
    expect(colours.filter((colour) => !/^(?:currentColor|none|var\(--[a-z0-9]+\))$/.test(colour))).toEqual([]);
    expect(colours).toContain('var(--s5)');
    expect(text).not.toMatch(/<style|style="/);
  });
});

test('a chart of values with intervals: one mark and one line a row, in order', () => {
  const rows = [
    { label: 'rgi', value: 20, interval: [10, 30] as const, style: 0 },
    { label: 'rgi', value: 40, style: 4 },
    { label: 'none', value: Number.NaN, style: 2 },
  ];
  const svg = parsed(dotChart({ title: 'PSNR', xLabel: 'dB', rows })!).querySelector('figure > svg')!;
  const marks = [...svg.querySelectorAll('circle')].map((mark) =>
    ['cx', 'cy'].map((name) => Number(mark.getAttribute(name))),
  );
  expect(marks).toHaveLength(2);
  expect(marks[0][0]).toBeLessThan(marks[1][0]);
  expect(marks[0][1]).toBeLessThan(marks[1][1]);
  const [interval, ...others] = svg.querySelectorAll('[stroke^="var(--s"] line');
  expect(others).toEqual([]);
  const [left, right] = ['x1', 'x2'].map((name) => Number(interval.getAttribute(name)));
  expect((left + right) / 2).toBeCloseTo(marks[0][0], 1);
});
