import { hoursLeft } from './sendWindow';

/** What `POST /v1/metering-runs` with `dry_run` answers, as far as a glance needs it. */
interface Foreseen {
  readonly as_of: string;
  readonly records: readonly { readonly timestamp: string }[];
  readonly due: readonly { readonly metering_record_id: string; readonly timestamp: string }[];
  readonly rest: readonly { readonly becomes: string; readonly reason: string; readonly quantity: string }[];
  readonly more: boolean;
}

export interface Glance {
  readonly asOf: string;
  /** Hours of use that are not over. Each number counts hours of one subscription and dimension. */
  readonly running: number;
  /** Over; late events may still come. */
  readonly notSealed: number;
  /** Sealed: records that the next cycle freezes and sends. */
  readonly ready: number;
  /** Frozen and sent, or about to be; AWS has not answered. */
  readonly due: number;
  /** Sealed, and AWS has a record for each hour that it still takes. */
  readonly noFreeHour: number;
  /** Held, by reason, the most frequent first. */
  readonly held: readonly { readonly reason: string; readonly hours: number }[];
  /** The frozen record whose time ends first, and how many full hours it has left. */
  readonly nearest: { readonly recordId: string; readonly hoursLeft: number } | null;
  /** Whether there are more than the answer names, so that the numbers are least ones. */
  readonly isMore: boolean;
}

/** What a dry run says about the state of metering. */
export function glanceAt(foreseen: Foreseen): Glance {
  const waits = (reason: string) => foreseen.rest.filter((one) => one.becomes === 'waits' && one.reason === reason).length;
  const held = new Map<string, number>();
  for (const one of foreseen.rest) if (one.becomes === 'held') held.set(one.reason, (held.get(one.reason) ?? 0) + 1);
  const nearest = foreseen.due
    .map((one) => ({ recordId: one.metering_record_id, hoursLeft: hoursLeft(one.timestamp, foreseen.as_of) }))
    .reduce<Glance['nearest']>((least, one) => (least === null || one.hoursLeft < least.hoursLeft ? one : least), null);
  return {
    asOf: foreseen.as_of,
    running: waits('hour_not_over'),
    notSealed: waits('hour_not_sealed'),
    ready: foreseen.records.length,
    due: foreseen.due.length,
    noFreeHour: waits('no_free_hour'),
    held: [...held].map(([reason, hours]) => ({ reason, hours })).sort((a, b) => b.hours - a.hours || (a.reason < b.reason ? -1 : 1)),
    nearest,
    isMore: foreseen.more,
  };
}
