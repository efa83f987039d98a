import { expect, it } from 'vitest';
import { completeness, fileType } from './fileOfAws';

it.each([
  ['trail.json.gz', 'application/json'],
  ['Report.CSV', 'text/csv'],
  ['usage.csv.gz', 'text/csv'],
  ['notes.txt', null],
])('takes %s for %s', (name, type) => {
  expect(fileType(name)).toBe(type);
});

it('takes both moments or neither', () => {
  expect(completeness('', '')).toBeNull();
  expect(completeness('2026-11-21T00:00', '2026-11-22T00:00')).toEqual({ complete_from: '2026-11-21T00:00:00Z', complete_until: '2026-11-22T00:00:00Z' });
  expect(() => completeness('2026-11-21T00:00', '')).toThrow(RangeError);
  expect(() => completeness('2026-11-21T00:00', '2026-11-21T00:00')).toThrow(RangeError);
});
