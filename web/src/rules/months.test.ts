import { describe, expect, it } from 'vitest';
import { daysOf, hoursOf, isMonth, monthAfter, monthOf, spanOfDay, spanOfMonth } from './months';

describe('months of UTC', () => {
  it('is the month of a moment, wherever the browser is', () => {
    expect(monthOf(new Date('2026-12-01T00:30:00+01:00'))).toBe('2026-11');
  });

  it.each([
    ['2026-11', 1, '2026-12'],
    ['2026-12', 1, '2027-01'],
    ['2026-01', -1, '2025-12'],
  ])('%s and %i more is %s', (month, more, there) => {
    expect(monthAfter(month, more)).toBe(there);
  });

  it.each([
    ['2026-11', true],
    ['2026-13', false],
    ['2026-1', false],
    ['now', false],
  ])('%s is a month: %s', (text, is) => {
    expect(isMonth(text)).toBe(is);
  });

  it('has spans that leave no hour out and count none twice', () => {
    expect(spanOfMonth('2026-12')).toEqual({ from: '2026-12-01T00:00:00Z', until: '2027-01-01T00:00:00Z' });
    expect(spanOfDay('2026-11-30')).toEqual({ from: '2026-11-30T00:00:00Z', until: '2026-12-01T00:00:00Z' });
  });

  it('knows the days of a leap year and the hours of a day', () => {
    expect(daysOf('2028-02').at(-1)).toBe('2028-02-29');
    expect(daysOf('2026-02')).toHaveLength(28);
    expect(hoursOf('2026-11-22').at(-1)).toBe('2026-11-22T23');
  });
});
