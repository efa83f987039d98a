import { expect, it } from 'vitest';
import { counted, countSaid, together } from './counts';

it('says a count, and that it is a least one', () => {
  expect(countSaid({ number: 3, isAll: true })).toBe('3');
  expect(countSaid({ number: 3, isAll: false })).toBe('3 or more');
});

it('knows one from several', () => {
  expect(counted(1, 'record')).toBe('1 record');
  expect(counted(0, 'record')).toBe('0 records');
  expect(counted(2, 'delivery', 'deliveries')).toBe('2 deliveries');
});

it('sums counts, and is whole only where each is', () => {
  expect(together([])).toEqual({ number: 0, isAll: true });
  expect(together([{ number: 2, isAll: true }, { number: 5, isAll: false }])).toEqual({ number: 7, isAll: false });
});
