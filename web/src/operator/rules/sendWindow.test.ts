import { expect, it } from 'vitest';
import { hoursLeft, takenUntil } from './sendWindow';

const at = (moment: string) => Date.parse(moment);

it('is open for a day', () => {
  expect(takenUntil('2026-11-22T10:00:00Z')).toBe(at('2026-11-23T10:00:00Z'));
});

it('closes at six on the first of a month for the month before', () => {
  expect(takenUntil('2026-11-30T22:00:00Z')).toBe(at('2026-12-01T06:00:00Z'));
  expect(takenUntil('2026-12-31T23:00:00Z')).toBe(at('2027-01-01T06:00:00Z'));
});

it('counts full hours that are left, and none when it is over', () => {
  expect(hoursLeft('2026-11-22T10:00:00Z', '2026-11-23T07:30:00Z')).toBe(2);
  expect(hoursLeft('2026-11-22T10:00:00Z', '2026-11-23T10:00:00Z')).toBe(0);
  expect(hoursLeft('2026-11-22T10:00:00Z', '2026-11-25T10:00:00Z')).toBe(0);
});
