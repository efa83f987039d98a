import { expect, it } from 'vitest';
import { instantFrom } from './instants';

it('takes what is entered as UTC', () => {
  expect(instantFrom('2026-11-22T10:15')).toBe('2026-11-22T10:15:00Z');
  expect(instantFrom('2026-11-22T10:15:30')).toBe('2026-11-22T10:15:30Z');
});

it.each(['', '2026-11-22', '2026-13-22T10:15', 'now'])('takes %j for no moment', (entered) => {
  expect(instantFrom(entered)).toBeNull();
});
