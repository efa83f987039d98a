import { expect, it } from 'vitest';
import { changeLines, valueSaid } from './changeLines';

it('says before and after, and only the latter where there was none', () => {
  expect(changeLines([{ attribute: 'status', before: 'active', after: 'ending' }, { attribute: 'offer_id', before: null, after: 'offer-1' }])).toEqual([
    'status: active → ending',
    'offer_id: offer-1',
  ]);
});

it('says what was too large to keep', () => {
  expect(changeLines([{ attribute: 'entitlements', before: null, after: null, left_out: true }])[0]).toContain('too large');
});

it('says values in a line', () => {
  expect(valueSaid(null)).toBe('none');
  expect(valueSaid(false)).toBe('false');
  expect(valueSaid([])).toBe('none');
  expect(valueSaid([{ dimension: 'seats', value: '20' }, { dimension: 'hours', value: '5' }])).toBe('seats 20, hours 5');
  expect(valueSaid('x'.repeat(200))).toHaveLength(162);
});
