import { microsFrom, type Micros, sum } from './quantities';

/** What `GET /v1/usage` says of one hour or day; see `HourOfUsage` in openapi/metering.yaml. */
export interface Used {
  readonly dimension: string;
  readonly hour: string;
  readonly quantity: string;
  readonly corrections?: string;
  readonly by_tags?: readonly { readonly tags: Readonly<Record<string, string>>; readonly quantity: string }[];
}

/** One column of a chart or one line of its table. */
export interface Slot {
  readonly key: string;
  readonly quantity: Micros;
}

/** What was used and not taken back by corrections. */
export function net(one: Used): Micros {
  return microsFrom(one.quantity) - microsFrom(one.corrections ?? '0');
}

/** The dimensions in which anything was reported, in the order of their names. */
export function dimensionsOf(usage: readonly Used[]): string[] {
  return [...new Set(usage.map((one) => one.dimension))].sort();
}

export function ofDimension(usage: readonly Used[], dimension: string): Used[] {
  return usage.filter((one) => one.dimension === dimension);
}

export function total(usage: readonly Used[]): Micros {
  return sum(usage.map(net));
}

/**
 * Usage by day or by hour, with a slot for each that was asked for, also where nothing was used.
 *
 * @param keys days as `2026-11-22` or hours as `2026-11-22T10`, all of one kind.
 */
export function bySlot(usage: readonly Used[], keys: readonly string[]): Slot[] {
  const length = keys[0]?.length ?? 0;
  const found = new Map<string, Micros>(keys.map((key) => [key, 0n]));
  for (const one of usage) {
    const key = one.hour.slice(0, length);
    const before = found.get(key);
    if (before !== undefined) found.set(key, before + net(one));
  }
  return keys.map((key) => ({ key, quantity: found.get(key) ?? 0n }));
}

/** The last slot in which anything was used. */
export function lastDayUsed(days: readonly Slot[]): string | null {
  return days.findLast((slot) => slot.quantity !== 0n)?.key ?? null;
}

/** The keys of all tags in the usage, the most frequent first. */
export function tagKeysOf(usage: readonly Used[]): string[] {
  const counts = new Map<string, number>();
  for (const one of usage) {
    for (const part of one.by_tags ?? []) {
      for (const key of Object.keys(part.tags)) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).map(([key]) => key);
}

/**
 * Usage by the values of one tag, the largest first; what has no such tag comes last, under the key ''.
 * The quantities sum up to the total.
 */
export function byTag(usage: readonly Used[], tag: string): Slot[] {
  const found = new Map<string, Micros>();
  for (const one of usage) {
    for (const part of one.by_tags ?? []) {
      const value = part.tags[tag] ?? '';
      found.set(value, (found.get(value) ?? 0n) + microsFrom(part.quantity));
    }
  }
  const slots = [...found].map(([key, quantity]) => ({ key, quantity }));
  return slots.sort((a, b) => Number(a.key === '') - Number(b.key === '') || compare(b.quantity, a.quantity) || (a.key < b.key ? -1 : 1));
}

function compare(a: Micros, b: Micros): number {
  return a < b ? -1 : Number(a > b);
}
