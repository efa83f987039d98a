import { expect, it } from 'vitest';
import { readable } from './quantities';
import { runningHours } from './runningTime';

it.each([
  ['2026-11-22T10:00:00Z', '2026-11-22T11:00:00Z', '1'],
  ['2026-11-22T10:00:00Z', '2026-11-22T10:00:01Z', '0.000277'],
  ['2026-11-22T10:15:07Z', '2026-11-22T10:15:07Z', '0'],
  ['2026-11-22T10:15:07Z', '2026-11-22T10:15:00Z', '0'],
  ['2025-11-22T10:15:07Z', '2026-11-22T10:15:07Z', '8,760'],
])('from %s to %s are %s hours', (from, until, hours) => {
  expect(readable(runningHours(from, until))).toBe(hours);
});
