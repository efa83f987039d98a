import { describe, expect, it } from 'vitest';
import { daysOf, hoursOf } from './months';
import { readable, sum } from './quantities';
import { bySlot, byTag, dimensionsOf, lastDayUsed, net, ofDimension, tagKeysOf, total, type Used } from './usageGrouping';

const USED: Used[] = [
  {
    dimension: 'gpu_hours',
    hour: '2026-11-02T00:00:00Z',
    quantity: '0.3',
    corrections: '0.1',
    by_tags: [
      { tags: { team: 'research' }, quantity: '0.1' },
      { tags: {}, quantity: '0.1' },
    ],
  },
  {
    dimension: 'gpu_hours',
    hour: '2026-11-30T00:00:00Z',
    quantity: '400.000001',
    by_tags: [
      { tags: { team: 'research', project: 'chat' }, quantity: '100' },
      { tags: { team: 'support' }, quantity: '300.000001' },
    ],
  },
  { dimension: 'cpu_hours', hour: '2026-11-02T00:00:00Z', quantity: '7' },
];

describe('grouping of usage', () => {
  it('takes off what was taken back', () => {
    expect(USED.map((one) => readable(net(one)))).toEqual(['0.2', '400.000001', '7']);
  });

  it('finds the dimensions and keeps them apart', () => {
    expect(dimensionsOf(USED)).toEqual(['cpu_hours', 'gpu_hours']);
    expect(readable(total(ofDimension(USED, 'gpu_hours')))).toBe('400.200001');
  });

  it('has a slot for each day of the month', () => {
    const days = bySlot(ofDimension(USED, 'gpu_hours'), daysOf('2026-11'));
    expect(days).toHaveLength(30);
    expect(days[0]).toEqual({ key: '2026-11-01', quantity: 0n });
    expect(days[1]).toEqual({ key: '2026-11-02', quantity: 200_000n });
    expect(days[29]).toEqual({ key: '2026-11-30', quantity: 400_000_001n });
  });

  it('sums up what falls into one slot, and leaves out what falls into none', () => {
    const hours: Used[] = [
      { dimension: 'x', hour: '2026-11-02T10:00:00Z', quantity: '0.1' },
      { dimension: 'x', hour: '2026-11-02T10:00:00Z', quantity: '0.2' },
      { dimension: 'x', hour: '2026-11-03T10:00:00Z', quantity: '5' },
    ];
    const slots = bySlot(hours, hoursOf('2026-11-02'));
    expect(slots).toHaveLength(24);
    expect(slots[10]).toEqual({ key: '2026-11-02T10', quantity: 300_000n });
    expect(readable(sum(slots.map((slot) => slot.quantity)))).toBe('0.3');
    expect(bySlot(hours, [])).toEqual([]);
  });

  it('knows the last day of use', () => {
    expect(lastDayUsed(bySlot(USED, daysOf('2026-11')))).toBe('2026-11-30');
    expect(lastDayUsed(bySlot([], daysOf('2026-11')))).toBeNull();
  });

  it('lists the tags by how often they are used', () => {
    expect(tagKeysOf(USED)).toEqual(['team', 'project']);
    expect(tagKeysOf([])).toEqual([]);
  });

  it('divides by a tag, the largest first and what lacks it last, and the parts sum up', () => {
    const gpu = ofDimension(USED, 'gpu_hours');
    const parts = byTag(gpu, 'team');
    expect(parts.map((part) => [part.key, readable(part.quantity)])).toEqual([
      ['support', '300.000001'],
      ['research', '100.1'],
      ['', '0.1'],
    ]);
    expect(sum(parts.map((part) => part.quantity))).toBe(total(gpu));
    expect(byTag(gpu, 'project').at(-1)?.key).toBe('');
  });
});
