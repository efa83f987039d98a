import { describe, expect, it } from 'vitest';
import { alarmsFrom, type Findings } from './alarms';
import type { Glance } from './foresight';
import type { MeteringHealth } from './lastRun';

const NOTHING: Findings = { readiness: null, health: null, glance: null, toDecide: null, stuckOutbox: null, deadLetters: null, deadDeliveries: null, imbalances: null };
const GLANCE: Glance = { asOf: '2026-11-22T12:00:00Z', running: 3, notSealed: 2, ready: 1, due: 1, noFreeHour: 0, held: [], nearest: null, isMore: false };
const keys = (found: Partial<Findings>) => alarmsFrom({ ...NOTHING, ...found }).map((one) => one.key);

it('is silent where nothing was found, and where all is well', () => {
  expect(keys({})).toEqual([]);
  expect(
    keys({
      readiness: [{ service: 'metering', state: 'ready', away: [] }],
      glance: GLANCE,
      toDecide: { number: 0, isAll: true },
      stuckOutbox: { number: 0, isAll: true },
      deadLetters: 0,
      deadDeliveries: { number: 0, isAll: true },
      imbalances: 0,
    }),
  ).toEqual([]);
});

it('puts the loud ones first', () => {
  expect(keys({ toDecide: { number: 2, isAll: true }, deadLetters: 1, readiness: [{ service: 'metering', state: 'not_ready', away: [] }] })).toEqual([
    'ready-metering',
    'dead-letters',
    'to-decide',
  ]);
});

it('repeats what a service says it lacks', () => {
  const [alarm] = alarmsFrom({ ...NOTHING, readiness: [{ service: 'metering', state: 'not_ready', away: ['tables: cannot be reached'] }] });
  expect(alarm?.detail).toBe('tables: cannot be reached');
});

it('says since when nothing has run, and what stands still', () => {
  const moment = '2026-11-22T08:00:00Z';
  const steps: MeteringHealth['steps'] = [{ step: 'fold', ended_well_at: '2026-11-22T11:59:58Z' }, { step: 'send', ended_well_at: moment }];
  const health: MeteringHealth = { as_of: '2026-11-22T12:00:00Z', all_ended_well_at: moment, steps, audited_at: moment, imbalances: 2 };
  const [still, audit] = alarmsFrom({ ...NOTHING, health });
  expect(still?.title).toBe('Metering has not run to its end since 22 Nov 2026, 08:00 UTC');
  expect(still?.detail).toContain('Standing still: send.');
  expect(audit?.title).toBe('Hours that the last audit found not to add up: 2');
  expect(keys({ health: { ...health, as_of: '2026-11-22T08:10:00Z', imbalances: 0 } })).toEqual([]);
});

it('says that a number is a least one', () => {
  const [alarm] = alarmsFrom({ ...NOTHING, toDecide: { number: 500, isAll: false } });
  expect(alarm?.title).toBe('Records to decide: 500 or more');
});

describe('a record without an answer', () => {
  const near = (hoursLeft: number) => alarmsFrom({ ...NOTHING, glance: { ...GLANCE, nearest: { recordId: 'sub_a.gpu.2026-11-22T10', hoursLeft } } });

  it('is no alarm while there is time', () => {
    expect(near(12)).toEqual([]);
  });

  it('is one when time runs out, and then a loud one', () => {
    expect(near(11)[0]?.tone).toBe('warn');
    expect(near(3)[0]?.tone).toBe('bad');
    expect(near(0)[0]?.title).toContain('over');
  });
});

it('counts held hours of all reasons', () => {
  const [alarm] = alarmsFrom({ ...NOTHING, glance: { ...GLANCE, held: [{ reason: 'a', hours: 2 }, { reason: 'b', hours: 1 }] } });
  expect(alarm?.title).toBe('Hours of held usage: 3');
});
