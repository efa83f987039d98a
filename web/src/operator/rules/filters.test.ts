import { expect, it } from 'vitest';
import { filled, isSubscriptionId, newsFilters } from './filters';

it('leaves out what was not entered', () => {
  expect(filled({ status: '', product_code: '  74az0EXAMPLE ' })).toEqual({ product_code: '74az0EXAMPLE' });
});

it('turns moments into UTC and leaves out half ones', () => {
  const nothing = { outcome: '', name: '', subject: '', subscription_id: '', received_after: '', received_before: '' };
  expect(newsFilters({ ...nothing, outcome: 'ignored', received_after: '2026-11-22T10:00', received_before: '2026-11' })).toEqual({
    outcome: 'ignored',
    received_after: '2026-11-22T10:00:00Z',
  });
});

it('knows a subscription’s id', () => {
  expect(isSubscriptionId('sub_akqbclolnbr5rol2aljugptsbj')).toBe(true);
  expect(isSubscriptionId('sub_AKQB')).toBe(false);
});
