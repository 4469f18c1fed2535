/** The page in headless Chromium, where there is one: it draws, its script runs under its policy, it fits a phone. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { browse, chromium } from '../../scripts/chromium.ts';
import { escapeHtml } from '../../src/pages/html.ts';
import { reportPage } from '../../src/report/page.ts';
import { runPage } from '../../src/report/run-page.ts';
import { needs } from '../support/needs.ts';
import { HOSTILE, madeReport, madeRun } from './made.ts';

describe.skipIf(!chromium)(needs(chromium !== undefined, 'skipped: no Chromium was found', 'in Chromium'), () => {
  let folder: string;
  let page: string;
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'rgi-page-'));
    page = await reportPage(madeReport());
    writeFileSync(path.join(folder, 'report.html'), page);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const open = (file: string, ...flags: string[]) => browse(folder, path.join(folder, file), ...flags);

  const titleOf = (dom: string) =>
    dom
      .match(/<title>([\s\S]*?)<\/title>/)![1]
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&amp;', '&');

  /** Mean brightness, 0 to 255, of the page's left margin and how many distinct colours there are. */
  async function shot(name: string, ...flags: string[]) {
    const file = path.join(folder, `${name}.png`);
    open('report.html', `--screenshot=${file}`, '--window-size=1000,1400', ...flags);
    const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const colours = new Set<number>();
    for (let i = 0; i < data.length; i += info.channels)
      colours.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
    return { margin: data[3 * 5], colours: colours.size };
  }

  test('it is drawn, light or dark as the reader has it', async () => {
    const light = await shot('light');
    const dark = await shot('dark', '--blink-settings=preferredColorScheme=0');
    expect(light.margin).toBeGreaterThan(240);
    expect(dark.margin).toBeLessThan(40);
    expect(Math.min(light.colours, dark.colours)).toBeGreaterThan(50);
  });

  test('its script runs under its own policy: sorting, ordering, the slider; on a phone nothing sticks out', () => {
    // The page in a frame of a phone's width; the page around it presses its buttons.
    const driver = `
      const page = document.querySelector('iframe').contentDocument;
      const first = (selector) => page.querySelector(selector);
      const change = (element, value) => { element.value = value; element.dispatchEvent(new Event('input')); element.dispatchEvent(new Event('change')); };
      const heads = [...page.querySelectorAll('table.sortable')][0];
      const methods = () => [...heads.tBodies[0].rows].map((row) => row.cells[0].firstChild.textContent);
      const cards = () => [...first('.cards').children].map((card) => card.querySelector('h4').textContent);
      const frames = () => [...first('.trajectory').querySelectorAll('.frames li')].filter((li) => li.offsetWidth > 0).map((li) => li.textContent);
      const result = { width: page.documentElement.scrollWidth, before: methods(), steps: frames() };
      const button = heads.querySelectorAll('th button')[1];
      button.click(); button.click();
      result.rising = methods();
      result.sorted = heads.querySelectorAll('th')[1].getAttribute('aria-sort');
      result.cards = cards();
      change(first('select'), '2');
      result.falling = cards();
      change(first('input[type=range]'), '0');
      result.firstSteps = frames();
      document.title = JSON.stringify(result);`;
    const outer = `<!doctype html><title>-</title><iframe width="375" height="3000" srcdoc="${escapeHtml(page)}"></iframe><script>onload = () => {${driver}}</script>`;
    writeFileSync(path.join(folder, 'outer.html'), outer);
    const dom = open('outer.html', '--dump-dom', '--virtual-time-budget=3000');
    const result = JSON.parse(titleOf(dom));
    expect(result.width).toBeLessThanOrEqual(375);
    expect(result.before).toEqual(['rgi', 'rgi:paper', 'yeh+mask']);
    expect(result.rising).toEqual(['yeh+mask', 'rgi:paper', 'rgi']);
    expect(result.sorted).toBe('ascending');
    expect(result.falling).toEqual(result.cards.toReversed());
    expect(result.steps).toEqual(['step 200', 'step 200', 'step 200']);
    expect(result.firstSteps).toEqual(['step 10', 'step 10', 'step 10']);
  });

  test('the page of a run: pictures ordered by score, on a phone nothing sticks out', async () => {
    const run = await runPage(madeRun());
    const driver = `
      const page = document.querySelector('iframe').contentDocument;
      const cards = () => [...page.querySelector('.cards').children].map((card) => card.querySelector('h3').textContent);
      const select = page.querySelector('select');
      const result = { width: page.documentElement.scrollWidth, first: select.options[0].text, cards: cards() };
      select.value = '1';
      select.dispatchEvent(new Event('change'));
      result.rising = cards();
      document.title = JSON.stringify(result);`;
    const outer = `<!doctype html><title>-</title><iframe width="375" height="3000" srcdoc="${escapeHtml(run)}"></iframe><script>onload = () => {${driver}}</script>`;
    writeFileSync(path.join(folder, 'run.html'), outer);
    const dom = open('run.html', '--dump-dom', '--virtual-time-budget=3000');
    expect(JSON.parse(titleOf(dom))).toEqual({
      width: 375,
      first: 'the oddest first',
      cards: ['b.png', 'a.png', HOSTILE],
      rising: [HOSTILE, 'a.png', 'b.png'],
    });
  });

  test('without a script every step of a search is there', () => {
    const still = page.replace(/<script>[\s\S]*<\/script>/, '');
    writeFileSync(path.join(folder, 'still.html'), still);
    const dom = open('still.html', '--dump-dom');
    expect(dom.match(/<span>step \d+<\/span>/g)).toHaveLength(18);
    expect(dom).not.toContain('class="tools"');
  });
});
