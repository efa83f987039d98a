import { expect, it } from 'vitest';
import { glanceAt } from './foresight';

const rest = (becomes: string, reason: string) => ({ becomes, reason, quantity: '1' });
const due = (id: string, timestamp: string) => ({ metering_record_id: id, timestamp });
const NOTHING = { as_of: '2026-11-22T12:00:00Z', records: [], due: [], rest: [], more: false };

it('counts what waits by why it waits', () => {
  const glance = glanceAt({
    ...NOTHING,
    records: [{ timestamp: '2026-11-22T10:00:00Z' }],
    rest: [rest('waits', 'hour_not_over'), rest('waits', 'hour_not_over'), rest('waits', 'hour_not_sealed'), rest('waits', 'no_free_hour'), rest('included', 'entitlement')],
  });
  expect(glance).toMatchObject({ running: 2, notSealed: 1, noFreeHour: 1, ready: 1, due: 0 });
});

it('orders what is held by how much there is of it', () => {
  const glance = glanceAt({ ...NOTHING, rest: [rest('held', 'a'), rest('held', 'c'), rest('held', 'b'), rest('held', 'b')] });
  expect(glance.held).toEqual([{ reason: 'b', hours: 2 }, { reason: 'a', hours: 1 }, { reason: 'c', hours: 1 }]);
});

it('finds the record whose time ends first', () => {
  const glance = glanceAt({ ...NOTHING, due: [due('younger', '2026-11-22T10:00:00Z'), due('older', '2026-11-21T14:00:00Z')] });
  expect(glance.nearest).toEqual({ recordId: 'older', hoursLeft: 2 });
  expect(glanceAt(NOTHING).nearest).toBeNull();
});

it('says when there is more than it saw', () => {
  expect(glanceAt({ ...NOTHING, more: true }).isMore).toBe(true);
});
