/** The engine on a storage in memory: order, batches, which errors stay with an item, what is skipped, where it stops. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RgiError } from '../../src/errors.ts';
import type { Entry, Job, JobEvent, Storage } from '../../src/jobs/job.ts';
import { type RunOptions, runJob } from '../../src/jobs/run.ts';

interface Record {
  readonly value: number;
  readonly message?: string;
}

interface Memory extends Storage<Record> {
  readonly files: Map<string, string>;
  readonly entries: Entry<Record>[];
}

/** A storage as a browser might bring one; hashes are the contents themselves. */
function memory(program = '1'): Memory {
  const files = new Map<string, string>();
  const entries: Entry<Record>[] = [];
  return {
    program,
    files,
    entries,
    find: async (item) => entries.findLast((entry) => entry.item === item),
    confirms: async ({ outputs }) => Object.entries(outputs).every(([file, content]) => files.get(file) === content),
    outputs() {
      const staged = new Map<string, string>();
      return {
        put: async (file, content) => void staged.set(file, String(content)),
        putFile: async (file, from) => void staged.set(file, from),
        names: () => [...staged.keys()],
        async commit(record) {
          for (const [file, content] of staged) files.set(file, content);
          await record(Object.fromEntries(staged));
        },
        discard: async () => staged.clear(),
      };
    },
    append: async (entry) => void entries.push(entry),
  };
}

type TestJob = Job<number, number, number, Record>;

/** Squares numbers; notes the batches it was asked for. */
function squares(values: readonly number[], over: Partial<TestJob> = {}) {
  const batches: number[][] = [];
  const job: TestJob = {
    kind: 'squares',
    key: 'k',
    rules: 1,
    async *items() {
      for (const [i, value] of values.entries())
        yield { name: `n${i}`, source: `n${i}`, content: `${value}`, item: value, left: values.length - 1 - i };
    },
    batch: 4,
    even: true,
    together: true,
    alone: false,
    load: async ({ item }) => item,
    async *run(batch) {
      batches.push([...batch]);
      for (const value of batch) yield value ** 2;
    },
    async write(outputs, { name }, _loaded, value) {
      await outputs.put(`${name}.txt`, `${value}`);
      return { status: 'done', record: { value } };
    },
    failed: (_planned, message) => ({ value: 0, message }),
    ...over,
  };
  return { job, batches };
}

async function ran(job: TestJob, storage: Memory, options: RunOptions<Record> = {}) {
  const events: JobEvent<Record>[] = [];
  const outcome = await runJob(job, storage, { ...options, onEvent: (event) => events.push(event) });
  const records = events.flatMap((event) => (event.kind === 'record' ? [event] : []));
  return { outcome, events, records };
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const broken = (what: string) => new RgiError('input', `${what} is broken.`);

describe('a run', () => {
  test('takes batches as even as can be, and reports items in order', async () => {
    const { job, batches } = squares(range(10));
    const { outcome, records, events } = await ran(job, memory());
    expect(batches.map((batch) => batch.length)).toEqual([4, 3, 3]);
    expect(records.map(({ entry }) => entry.record.value)).toEqual(range(10).map((v) => v ** 2));
    expect(outcome).toEqual({ done: 10, kept: 0, failed: 0, interrupted: false });
    expect(events[0]).toEqual({ kind: 'begin' });
    expect(events.at(-1)).toEqual({ kind: 'end', ...outcome });
  });

  test('takes items lazily: of a million no more than a batch at a time', async () => {
    let taken = 0;
    const { job, batches } = squares([]);
    const endless: TestJob = {
      ...job,
      async *items() {
        for (let i = 0; i < 1e6; i++) {
          taken++;
          yield { name: `n${i}`, source: '', content: `${i}`, item: i };
        }
      },
    };
    const stop = new AbortController();
    const write: TestJob['write'] = (...given) => {
      stop.abort();
      return job.write(...given);
    };
    await ran({ ...endless, write }, memory(), {
      signal: stop.signal,
    });
    expect(batches).toEqual([[0, 1, 2, 3]]);
    expect(taken).toBeLessThan(6);
  });

  test('keeps the errors of inputs and of writing with their items', async () => {
    const storage = memory();
    const { job } = squares(range(6), {
      load: async ({ item }) => {
        if (item === 1) throw broken('n1');
        return item;
      },
    });
    const write: TestJob['write'] = async (outputs, planned, loaded, result) => {
      const written = await job.write(outputs, planned, loaded, result);
      if (loaded === 3) throw new RgiError('input', 'n3.txt cannot be written (ENOSPC: no space left on device).');
      return written;
    };
    const { outcome, records } = await ran({ ...job, write }, storage);
    expect(outcome).toEqual({ done: 4, kept: 0, failed: 2, interrupted: false });
    expect(records.map(({ entry }) => [entry.item, entry.status, entry.record.message])).toEqual([
      ['n0', 'done', undefined],
      ['n1', 'failed', 'n1 is broken.'],
      ['n2', 'done', undefined],
      ['n3', 'failed', 'n3.txt cannot be written (ENOSPC: no space left on device).'],
      ['n4', 'done', undefined],
      ['n5', 'done', undefined],
    ]);
    expect([...storage.files.keys()]).toEqual(['n0.txt', 'n2.txt', 'n4.txt', 'n5.txt']);
  });

  test('ends at any other error, and where the one thing that was named is at fault', async () => {
    const failing = (error: Error, alone = false) =>
      ran(squares(range(3), { alone, load: () => Promise.reject(error) }).job, memory());
    await expect(failing(new RgiError('runtime', 'out of memory'))).rejects.toThrow('out of memory');
    await expect(failing(new TypeError('a bug'))).rejects.toThrow('a bug');
    await expect(failing(broken('n0'), true)).rejects.toThrow('n0 is broken.');
  });

  test('says of a journal that cannot be written that the item is not kept', async () => {
    const storage = { ...memory(), append: () => Promise.reject(new RgiError('input', 'journal: no space.')) };
    const { outcome, events } = await ran(squares(range(2)).job, storage);
    expect(outcome).toEqual({ done: 0, kept: 0, failed: 2, interrupted: false });
    expect(events).toContainEqual({ kind: 'warning', message: 'journal: no space.' });
  });
});

describe('a resumed run', () => {
  test('skips what is confirmed, and does the rest in the same batches', async () => {
    const storage = memory();
    await ran(squares(range(10)).job, storage);
    storage.files.delete('n5.txt');
    storage.files.set('n6.txt', '');
    const { job, batches } = squares(range(10));
    const { outcome, records } = await ran(job, storage, { resume: true });
    expect(batches).toEqual([[4, 5, 6]]);
    expect(outcome).toEqual({ done: 10, kept: 8, failed: 0, interrupted: false });
    expect(records.filter(({ kept }) => !kept).map(({ entry }) => entry.item)).toEqual(['n5', 'n6']);
  });

  test('that has nothing to do runs nothing', async () => {
    const storage = memory();
    await ran(squares(range(2)).job, storage);
    const run: TestJob['run'] = () => {
      throw new Error('There is nothing to run.');
    };
    const { outcome, events } = await ran(squares(range(2), { run }).job, storage, { resume: true });
    expect(outcome).toEqual({ done: 2, kept: 2, failed: 0, interrupted: false });
    expect(events.map(({ kind }) => kind)).toEqual(['record', 'record', 'end']);
  });

  test('where items are finished one by one, does the missing ones alone', async () => {
    const storage = memory();
    await ran(squares(range(4)).job, storage);
    storage.files.delete('n2.txt');
    const { job, batches } = squares(range(4), { together: false });
    await ran(job, storage, { resume: true });
    expect(batches).toEqual([[2]]);
  });

  test.each<[string, Partial<TestJob>, string]>([
    ['other settings', { key: 'other' }, '1'],
    ['other rules', { rules: 2 }, '1'],
    ['another kind', { kind: 'cubes' }, '1'],
    ['another program', {}, '2'],
    ['a record that does not suffice', { suffices: () => false }, '1'],
  ])('believes no entry of %s', async (_, over, program) => {
    const storage = memory();
    await ran(squares(range(2)).job, storage);
    const { outcome } = await ran(squares(range(2), over).job, { ...storage, program }, { resume: true });
    expect(outcome).toMatchObject({ done: 2, kept: 0 });
  });

  test('believes no entry of another content', async () => {
    const storage = memory();
    await ran(squares([1, 2]).job, storage);
    const { records } = await ran(squares([1, 3]).job, storage, { resume: true });
    expect(records.map(({ entry, kept }) => [entry.record.value, kept])).toEqual([
      [1, true],
      [9, false],
    ]);
  });

  test('stopped at once writes nothing and takes nothing away', async () => {
    const storage = memory();
    await ran(squares(range(5)).job, storage);
    const { outcome } = await ran(squares(range(5)).job, storage, { resume: true, signal: AbortSignal.abort() });
    expect(outcome).toEqual({ done: 0, kept: 0, failed: 0, interrupted: true });
    expect(storage.entries).toHaveLength(5);
  });
});

describe('an interrupted run', () => {
  /** Aborts when the item is written. */
  const stopAt = (item: string, over: Partial<TestJob>) => {
    const stop = new AbortController();
    const { job } = squares(range(6), { batch: 3, ...over });
    const write: TestJob['write'] = (outputs, planned, loaded, result) => {
      if (planned.name === item) stop.abort();
      return job.write(outputs, planned, loaded, result);
    };
    return { job: { ...job, write }, signal: stop.signal };
  };

  test('finishes a batch that is computed together', async () => {
    const { job, signal } = stopAt('n0', {});
    expect((await ran(job, memory(), { signal })).outcome).toMatchObject({ done: 3, interrupted: true });
  });

  test('finishes the item in hand of a batch whose items come one by one', async () => {
    const { job, signal } = stopAt('n0', { together: false });
    expect((await ran(job, memory(), { signal })).outcome).toMatchObject({ done: 1, interrupted: true });
  });

  test('that has just done its last item is complete', async () => {
    const { job, signal } = stopAt('n5', {});
    expect((await ran(job, memory(), { signal })).outcome).toMatchObject({ done: 6, interrupted: false });
  });
});

test('stopped anywhere and resumed, any number of times, a run loses nothing and does nothing twice', async () => {
  const shape = fc.record({
    count: fc.integer({ min: 1, max: 12 }),
    batch: fc.integer({ min: 1, max: 5 }),
    together: fc.boolean(),
    even: fc.boolean(),
    stops: fc.array(fc.nat({ max: 12 }), { maxLength: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(shape, async ({ count, stops, ...over }) => {
      const storage = memory();
      for (const stop of [...stops, Number.POSITIVE_INFINITY]) {
        const control = new AbortController();
        let written = 0;
        const { job } = squares(range(count), over);
        const write: TestJob['write'] = (...given) => {
          if (written++ >= stop) control.abort();
          return job.write(...given);
        };
        await ran({ ...job, write }, storage, { resume: true, signal: control.signal });
      }
      expect(storage.entries.map(({ item }) => item)).toEqual(range(count).map((i) => `n${i}`));
      expect([...storage.files.values()]).toEqual(range(count).map((i) => `${i ** 2}`));
    }),
  );
});
