/** The dashboard for Grafana: its queries use metrics that a service exports, with the labels that these have, and nothing else. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/service/limits.ts';
import { openAdmission } from '../../src/service/node/admission.ts';
import type { JobQueue } from '../../src/service/node/job-queue.ts';
import { openMetrics } from '../../src/service/node/metrics.ts';
import type { ProcessPool } from '../../src/service/node/processes.ts';

interface Target {
  readonly expr: string;
}
interface Panel {
  readonly title: string;
  readonly targets: readonly Target[];
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
}
interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string }[] };
}

const file = path.resolve(import.meta.dirname, '../../deploy/grafana/service.json');
const { panels, templating }: Dashboard = JSON.parse(readFileSync(file, 'utf8'));

/** What a service with a queue exports after a request and a job: each metric with its labels. */
async function exported(): Promise<Map<string, Set<string>>> {
  const state = { ready: 1, running: 0, waiting: 0, died: 0, held: [], hits: 1, misses: 1 };
  const pool = { state: () => state } as unknown as ProcessPool;
  const queue = { waiting: async () => 0 } as unknown as JobQueue;
  const metrics = openMetrics(pool, openAdmission(DEFAULT_LIMITS), queue);
  metrics.request('/v1/models', 'GET', 200, 0.1);
  metrics.stage('restore', 'search', 0.1);
  metrics.job({ kind: 'restore', state: 'done' } as Parameters<typeof metrics.job>[0]);
  const found = new Map<string, Set<string>>();
  for (const line of (await metrics.text()).split('\n')) {
    const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})? /.exec(line) ?? [];
    if (name === undefined) continue;
    const names = [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label);
    found.set(name, new Set([...(found.get(name) ?? []), ...names]));
  }
  return found;
}

/** Functions and words of PromQL that the dashboard uses. */
const WORDS = new Set(['sum', 'max', 'rate', 'increase', 'histogram_quantile', 'by', 'job']);

test('every query uses metrics and labels that there are', async () => {
  const metrics = await exported();
  expect(panels.length).toBeGreaterThan(5);
  for (const { title, targets } of panels) {
    for (const { expr } of targets) {
      // Strings and the variables of Grafana aside, what is left are functions, metrics and labels.
      const names = expr.replace(/"[^"]*"|\$\w+/g, '').match(/[a-z_]\w*/gi) ?? [];
      const used = names.filter((name) => metrics.has(name));
      expect(used, `${title}: ${expr}`).toHaveLength(1);
      const labels = metrics.get(used[0])!;
      for (const name of names)
        expect(name === used[0] || WORDS.has(name) || labels.has(name), `${title}: ${name}`).toBe(true);
    }
  }
});

test('every metric of the service itself is shown, and no two panels lie on each other', async () => {
  const shown = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).join('\n');
  const own = [...(await exported()).keys()].filter((name) => name.startsWith('rgi_'));
  const families = new Set(own.map((name) => name.replace(/_(bucket|sum|count)$/, '')));
  for (const family of families) expect(shown).toContain(family);
  const places = panels.map(({ gridPos: { x, y } }) => `${x},${y}`);
  expect(new Set(places).size).toBe(places.length);
  const variables = new Set(templating.list.map(({ name }) => name));
  for (const [, name] of JSON.stringify(panels).matchAll(/\$\{?([a-z]\w*)/g)) expect(variables).toContain(name);
});
