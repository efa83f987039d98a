import { expect, it } from 'vitest';
import { attemptSaid, differenceSaid, fateSaid, newsMeaning, newsSaid, outboxSaid, reasonSaid, recordMeaning, recordSaid } from './words';

it.each(['planned', 'billed', 'duplicate_conflict', 'not_subscribed', 'rejected', 'expired', 'unknown'] as const)('has words for a record that is %s', (outcome) => {
  expect(recordSaid(outcome).children).not.toBe('');
  expect(recordMeaning(outcome)).toMatch(/\.$/);
});

it.each(['applied', 'no_change', 'waiting', 'ignored', 'unknown_product', 'other_generation'] as const)('has words for news that is %s', (outcome) => {
  expect(newsSaid(outcome).children).not.toBe('');
  expect(newsMeaning(outcome)).toMatch(/\.$/);
});

it('shows what it has no words for as it is', () => {
  expect(reasonSaid('a_new_reason')).toBe('a new reason');
  expect(fateSaid('split')).toEqual({ tone: 'plain', children: 'split' });
  expect(outboxSaid('farewell_letter')).toBe('farewell letter');
  expect(attemptSaid('moon_phase')).toBe('moon phase');
  expect(differenceSaid('new_kind')).toBe('new kind');
});
