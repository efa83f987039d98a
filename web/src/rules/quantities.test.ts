import { describe, expect, it } from 'vitest';
import { largest, microsFrom, readable, scaleEnd, share, sum } from './quantities';

describe('quantities', () => {
  it.each([
    ['0', 0n],
    ['0.000001', 1n],
    ['41.25', 41_250_000n],
    ['-2.5', -2_500_000n],
    ['9007199254740993.000001', 9_007_199_254_740_993_000_001n],
  ])('%s is %s micro-units, exactly', (text, micros) => {
    expect(microsFrom(text)).toBe(micros);
  });

  it.each(['', '1,5', '1.0000001', '1e3', '.5', ' 1', 'NaN'])('"%s" is none', (text) => {
    expect(() => microsFrom(text)).toThrow(RangeError);
  });

  it.each([
    [0n, '0'],
    [1n, '0.000001'],
    [1_234_500_000n, '1,234.5'],
    [1_000_000_000_000n, '1,000,000'],
    [-2_500_000n, '−2.5'],
    [-1n, '−0.000001'],
  ])('%s is read as %s', (micros, text) => {
    expect(readable(micros)).toBe(text);
  });

  it('sums up what floats would not', () => {
    const tenths = Array.from({ length: 10 }, () => microsFrom('0.1'));
    expect(readable(sum(tenths))).toBe('1');
    expect(sum([microsFrom('9007199254740992'), microsFrom('0.000001')])).toBe(9_007_199_254_740_992_000_001n);
  });

  it('knows the largest, which is never below zero', () => {
    expect(largest([3n, 7n, 5n])).toBe(7n);
    expect(largest([-3n])).toBe(0n);
  });

  it('says how much one is of another', () => {
    expect(share(1n, 4n)).toBe(0.25);
    expect(share(1n, 0n)).toBe(0);
    expect(share(-1n, 4n)).toBe(0);
    expect(share(10n ** 30n, 10n ** 30n)).toBe(1);
  });

  it.each([
    ['0', '1'],
    ['0.000001', '0.000001'],
    ['0.000003', '0.000004'],
    ['33.25', '40'],
    ['50', '50'],
    ['50.000001', '100'],
    ['2300', '2,500'],
  ])('a scale for %s ends at %s', (highest, end) => {
    expect(readable(scaleEnd(microsFrom(highest)))).toBe(end);
  });
});
