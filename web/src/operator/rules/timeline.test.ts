import { describe, expect, it } from 'vitest';
import { type Sources, timeline, underDays } from './timeline';

const NOTHING: Sources = { history: [], news: [], claims: [], days: [], bills: [] };
const entry = (over: Partial<Sources['history'][number]> = {}): Sources['history'][number] => ({
  version: 1,
  recorded_at: '2026-11-20T10:00:05Z',
  cause: 'notification',
  notification_id: 'n1',
  name: 'License Updated - Manufacturer',
  event_time: '2026-11-20T10:00:00Z',
  changes: [{ attribute: 'status', before: null, after: 'active' }],
  notice: null,
  ...over,
});
const bill = (hour: string, over: Partial<Sources['bills'][number]> = {}): Sources['bills'][number] => ({
  metering_record_id: `sub_a.gpu_hours.${hour.slice(0, 13)}`,
  dimension: 'gpu_hours',
  hour,
  quantity: '1.5',
  outcome: 'billed',
  created_at: hour,
  settled_at: hour,
  resolution: null,
  ...over,
});

it('is empty of nothing', () => {
  expect(timeline(NOTHING)).toEqual([]);
});

it('puts all sources in one order, the newest first', () => {
  const life = timeline({
    history: [entry()],
    news: [{ notification_id: 'n2', name: 'Purchase Agreement Created', event_time: '2026-11-20T09:00:00.5Z', outcome: 'waiting' }],
    claims: [{ claimed_at: '2026-11-20T09:30:00Z', who: 'ada@example.com' }],
    days: [{ dimension: 'gpu_hours', hour: '2026-11-20T00:00:00Z', day: '2026-11-20', quantity: '3', conflicting_events: 0 }],
    bills: [bill('2026-11-21T10:00:00Z')],
  });
  expect(life.map((one) => one.kind)).toEqual(['bill', 'usage', 'state', 'registration', 'news']);
});

it('tells news once: by the entry that it made', () => {
  const news = (id: string) => ({ notification_id: id, name: 'x', event_time: '2026-11-20T10:00:00Z', outcome: 'applied' as const });
  const life = timeline({ ...NOTHING, history: [entry()], news: [news('n1'), news('n2')] });
  expect(life.map((one) => one.key).sort()).toEqual(['history-1-0', 'news-n2']);
});

it('uses the time at which it was learnt where AWS tells none', () => {
  const [one] = timeline({ ...NOTHING, history: [entry({ cause: 'time', event_time: null, name: null, notification_id: null })] });
  expect(one).toMatchObject({ at: '2026-11-20T10:00:05Z', title: 'Its last hour was over', to: null });
});

it('marks a notice', () => {
  const [one] = timeline({ ...NOTHING, history: [entry({ changes: [], notice: { issued_at: '2026-11-20' } })] });
  expect(one).toMatchObject({ badge: { children: 'Notice' }, lines: ['issued_at: 2026-11-20'] });
});

describe('records', () => {
  it('are one line for all billed hours of a day and dimension, exactly summed', () => {
    const life = timeline({ ...NOTHING, bills: [bill('2026-11-21T10:00:00Z', { quantity: '0.1' }), bill('2026-11-21T11:00:00Z', { quantity: '0.2' })] });
    expect(life).toHaveLength(1);
    expect(life[0]).toMatchObject({ title: 'Billed 0.3 GPU hours', lines: ['2 hours of 2026-11-21'], at: '2026-11-21T11:00:00Z', to: null });
  });

  it('that are not billed stand by themselves', () => {
    const life = timeline({ ...NOTHING, bills: [bill('2026-11-21T10:00:00Z', { outcome: 'rejected' }), bill('2026-11-21T11:00:00Z')] });
    expect(life.map((one) => one.badge?.children ?? one.title)).toEqual(['Billed 1.5 GPU hours', 'Rejected']);
  });

  it('show the decision about them too', () => {
    const resolution = { decision: 'write_off' as const, reason: 'A trial run.', by: 'key of the console', at: '2026-11-22T10:00:00Z' };
    const life = timeline({ ...NOTHING, bills: [bill('2026-11-21T10:00:00Z', { outcome: 'unknown', resolution })] });
    expect(life[0]).toMatchObject({ title: 'Decided: write off', lines: ['A trial run.', 'by key of the console'] });
  });
});

it('says what corrections took back and which events conflict', () => {
  const [one] = timeline({ ...NOTHING, days: [{ dimension: 'gpu_hours', hour: '2026-11-20T00:00:00Z', quantity: '3', corrections: '1', conflicting_events: 1 }] });
  expect(one?.lines).toHaveLength(2);
});

it('puts what happened under its day of UTC', () => {
  const days = underDays(timeline({ ...NOTHING, bills: [bill('2026-11-21T23:30:00Z'), bill('2026-11-20T00:00:00Z')] }));
  expect(days.map((one) => one.day)).toEqual(['2026-11-21', '2026-11-20']);
});
