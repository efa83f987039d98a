import { expect, it } from 'vitest';
import { type EventType, overlapSeconds, typesWished } from './webhookWishes';

it('wishes everything where nothing is chosen, and else what is, in the contract’s order', () => {
  expect(typesWished(new Set())).toBeNull();
  expect(typesWished(new Set<EventType>(['subscription.ended', 'subscription.activated']))).toEqual(['subscription.activated', 'subscription.ended']);
});

it.each([['0', 0], ['24', 86_400], ['168', 604_800], ['169', null], ['', null], ['1.5', null], ['-1', null]])('takes %j hours of overlap for %j seconds', (hours, seconds) => {
  expect(overlapSeconds(hours)).toBe(seconds);
});
