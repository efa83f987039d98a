/** Moments that are entered, as `2026-11-22T10:15` of UTC. */

const ENTERED = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$/;

/** RFC 3339 of what a field of type datetime-local holds, or null where it holds no moment. */
export function instantFrom(entered: string): string | null {
  if (!ENTERED.test(entered)) return null;
  const whole = entered.length === 16 ? `${entered}:00Z` : `${entered}Z`;
  return Number.isNaN(Date.parse(whole)) ? null : whole;
}
