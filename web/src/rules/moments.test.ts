import { expect, it } from 'vitest';
import { day, dayAndTime, monthName, shortDay } from './moments';

it('says moments in UTC', () => {
  expect(day('2026-11-22T23:59:59.999999Z')).toBe('22 Nov 2026');
  expect(dayAndTime('2026-11-22T00:05:00+01:00')).toBe('21 Nov 2026, 23:05 UTC');
  expect(dayAndTime('2026-11-22T00:00:00Z')).toBe('22 Nov 2026, 00:00 UTC');
  expect(shortDay('2026-11-02')).toBe('2 Nov');
  expect(monthName('2026-11')).toBe('November 2026');
});
