import { expect, it } from 'vitest';
import { gather } from './gather';

const three = (next: { cursor?: string }) => {
  const page = Number(next.cursor ?? '0');
  return Promise.resolve({ items: [page], next_cursor: page < 2 ? String(page + 1) : null });
};

it('reads to the end', async () => {
  expect(await gather(three, 3)).toEqual({ items: [0, 1, 2], isAll: true });
});

it('stops where it was told to, and says so', async () => {
  expect(await gather(three, 2)).toEqual({ items: [0, 1], isAll: false });
});
