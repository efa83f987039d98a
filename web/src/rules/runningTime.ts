import type { Micros } from './quantities';

/**
 * How long an endpoint ran, in hours: `seconds / 3600`, without what is finer than six decimals, as it is metered
 * (docs/decisions/running-time.md).
 *
 * @param from its `created_at`, a full second.
 * @param until its `deleted_at`, or, while it runs, its `metered_until`: the browser's clock is not the services'.
 */
export function runningHours(from: string, until: string): Micros {
  const seconds = Math.max(0, Math.floor((Date.parse(until) - Date.parse(from)) / 1000));
  return (BigInt(seconds) * 1_000_000n) / 3600n;
}
