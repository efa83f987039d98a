import { expect, it } from 'vitest';
import { ago, standingStill, type MeteringHealth } from './lastRun';

const HEALTH: MeteringHealth = {
  as_of: '2026-11-22T12:00:00Z',
  all_ended_well_at: '2026-11-22T11:59:58Z',
  steps: [
    { step: 'endpoints', ended_well_at: '2026-11-22T11:59:58Z' },
    { step: 'fold', ended_well_at: '2026-11-22T11:59:58Z' },
    { step: 'plan', ended_well_at: '2026-11-22T11:59:58Z' },
    { step: 'send', ended_well_at: '2026-11-22T11:59:58Z' },
  ],
  audited_at: null,
  imbalances: null,
};
const sentAt = (moment: string | null): MeteringHealth => ({ ...HEALTH, steps: [...HEALTH.steps.slice(0, 3), { step: 'send', ended_well_at: moment }] });

it('names the steps that stand still', () => {
  expect(standingStill(HEALTH)).toEqual([]);
  expect(standingStill(sentAt('2026-11-22T11:30:00Z'))).toEqual([]);
  expect(standingStill(sentAt('2026-11-22T11:29:59Z'))).toEqual(['send']);
  expect(standingStill(sentAt(null))).toEqual(['send']);
});

it.each([
  [null, 'never'],
  ['2026-11-22T11:59:55Z', '5 s ago'],
  ['2026-11-22T12:00:01Z', '0 s ago'],
  ['2026-11-22T11:48:00Z', '12 min ago'],
  ['2026-11-21T12:30:00Z', '23 h ago'],
  ['2026-11-20T12:00:00Z', '2 d ago'],
])('says of %s how long ago it was', (moment, said) => {
  expect(ago(moment, HEALTH.as_of)).toBe(said);
});
