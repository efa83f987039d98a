import { expect, it } from 'vitest';
import { from, readAll } from './pages';

it('reads all pages in their order, an empty one included', async () => {
  const pages = { first: [1, 2], second: [], third: [3] } as const;
  const after: Record<string, string | null> = { first: 'second', second: 'third', third: null };
  const asked: (string | undefined)[] = [];
  const items = await readAll<number>((cursor) => {
    asked.push(cursor);
    const name = (cursor ?? 'first') as keyof typeof pages;
    return Promise.resolve({ items: [...pages[name]], next_cursor: after[name] ?? null });
  });
  expect(items).toEqual([1, 2, 3]);
  expect(asked).toEqual([undefined, 'second', 'third']);
});

it('does not read for ever', async () => {
  await expect(readAll(() => Promise.resolve({ items: [], next_cursor: 'again' }))).rejects.toThrow('does not end');
});

it('leaves the cursor out of the first call', () => {
  expect(from(undefined)).toEqual({});
  expect(from('x')).toEqual({ cursor: 'x' });
});
