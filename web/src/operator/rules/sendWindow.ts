/** Until when AWS takes a metering record. */

const HOUR = 3_600_000;
/** AWS refuses a record whose timestamp is 24 hours old. */
const TAKEN_FOR = 24 * HOUR;
/** Of a month that is over it takes records until 06:00 UTC on the first day of the next one, however young they are. */
const INTO_NEXT_MONTH = 6 * HOUR;

/**
 * The moment from which AWS takes a record no more, in milliseconds since 1970.
 *
 * @param timestamp the record's frozen timestamp, RFC 3339.
 */
export function takenUntil(timestamp: string): number {
  const at = new Date(timestamp);
  const nextMonth = Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1);
  return Math.min(at.getTime() + TAKEN_FOR, nextMonth + INTO_NEXT_MONTH);
}

/** What is left of that time, in full hours; none once it is over. */
export function hoursLeft(timestamp: string, now: string): number {
  return Math.max(0, Math.floor((takenUntil(timestamp) - Date.parse(now)) / HOUR));
}
