/** Output names: unique within a run and against earlier ones, and the same again for the same source. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nameBook, numbered } from '../../src/jobs/names.ts';

test('an array beside a picture of the name that one of its own would have', () => {
  const book = nameBook([]);
  expect(book.claim({ source: '/in/a.0.png', stems: ['a.0', 'in_a.0'], contents: ['p'] })).toEqual(['a.0']);
  expect(book.claim({ source: '/in/a.npy', stems: ['a', 'a_npy'], contents: ['q#0', 'q#1'] })).toEqual([
    'a_npy.0',
    'a_npy.1',
  ]);
});

test('a source has the name that it had, whatever comes before it now', () => {
  const earlier = [{ item: 'in_a', source: '/in/a.png', content: 'p' }];
  const book = nameBook(earlier);
  expect(book.claim({ source: '/other/a.png', stems: ['a', 'other_a'], contents: ['q'] })).toEqual(['a']);
  expect(book.claim({ source: '/in/a.png', stems: ['a', 'in_a'], contents: ['changed'] })).toEqual(['in_a']);
});

test('a name of an earlier run belongs to its source, or to the same content elsewhere', () => {
  const earlier = [{ item: 'a', source: '/x/a.png', content: 'p' }];
  const claim = (source: string, content: string) =>
    nameBook(earlier).claim({ source, stems: ['a', 'y_a'], contents: [content] })[0];
  expect(claim('/x/a.png', 'q')).toBe('a');
  expect(claim('/y/a.png', 'p')).toBe('a');
  expect(claim('/y/a.png', 'q')).toBe('y_a');
});

test('pictures that could not be read are not the same picture', () => {
  const earlier = [{ item: 'a', source: '/x/a.png', content: '' }];
  const claim = (source: string) => nameBook(earlier).claim({ source, stems: ['a', 'y_a'], contents: [''] })[0];
  expect(claim('/x/a.png')).toBe('a');
  expect(claim('/y/a.png')).toBe('y_a');
});

test('names never meet, whatever the stems and numbers, also where case does not count', () => {
  const stem = fc.constantFrom('a', 'A', 'a.0', 'a.1', 'A.00', 'b');
  const requests = fc.array(fc.record({ stem, count: fc.integer({ min: 1, max: 11 }) }), { maxLength: 12 });
  fc.assert(
    fc.property(requests, (list) => {
      const ask = (book: ReturnType<typeof nameBook>) =>
        list.map(({ stem: own, count }, i) => {
          const contents = Array.from({ length: count }, (_, k) => `${i}#${k}`);
          return book.claim({ source: `/in/${i}`, stems: [own, `in_${own}`], contents });
        });
      const names = ask(nameBook([]));
      const all = names.flat().map((name) => name.toLowerCase());
      expect(new Set(all).size).toBe(all.length);
      const owners = names.flatMap((own, i) =>
        own.map((item, k) => ({
          item,
          source: own.length === 1 ? `/in/${i}` : `/in/${i}#${k}`,
          content: `${i}#${k}`,
        })),
      );
      expect(ask(nameBook(owners))).toEqual(names);
    }),
  );
});

test('numbers have as many digits as the last', () => {
  expect([numbered('a', 0, 1), numbered('a', 7, 11), numbered('a', 10, 11)]).toEqual(['a', 'a.07', 'a.10']);
});
