import { expect, it } from 'vitest';
import { MOST_MENDED, redriveWish } from './redrive';

const LETTERS = [{ dead_letter_id: 'a', body: 'one' }, { dead_letter_id: 'b', body: 'two' }, { dead_letter_id: 'c', body: 'three' }];

it('sends what was chosen as it is, and mended what was changed', () => {
  const wish = redriveWish(LETTERS, new Set(['a', 'b']), new Map([['b', '{}'], ['c', '{}']]));
  expect(wish).toEqual({ dead_letter_ids: ['a'], mended: [{ dead_letter_id: 'b', body: '{}' }] });
});

it('takes a body that was entered and put back for the same', () => {
  expect(redriveWish(LETTERS, new Set(['a']), new Map([['a', 'one']]))).toEqual({ dead_letter_ids: ['a'] });
});

it('never makes the empty wish, which would send all', () => {
  expect(() => redriveWish(LETTERS, new Set(), new Map())).toThrow(RangeError);
  expect(() => redriveWish(LETTERS, new Set(['gone']), new Map())).toThrow(RangeError);
});

it('keeps to what one request takes', () => {
  const many = Array.from({ length: MOST_MENDED + 1 }, (_, index) => ({ dead_letter_id: `l${index}`, body: '' }));
  const ids = many.map((one) => one.dead_letter_id);
  expect(() => redriveWish(many, new Set(ids), new Map(ids.map((id) => [id, '{}'])))).toThrow(RangeError);
});
