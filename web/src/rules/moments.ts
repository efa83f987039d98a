/** Times for people: of UTC, as everything is counted by it. */

const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hour12: false, timeZone: 'UTC' });
const MONTH = new Intl.DateTimeFormat('en-GB', { month: 'long', year: 'numeric', timeZone: 'UTC' });
const SHORT_DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });

/** `22 Nov 2026` of a moment in RFC 3339, or of a day such as `2026-11-22`. */
export function day(moment: string): string {
  return DAY.format(new Date(moment));
}

/** `22 Nov 2026, 10:15 UTC` */
export function dayAndTime(moment: string): string {
  const date = new Date(moment);
  return `${DAY.format(date)}, ${TIME.format(date)} UTC`;
}

/** `22 Nov` of a day such as `2026-11-22`. */
export function shortDay(date: string): string {
  return SHORT_DAY.format(new Date(date));
}

/** `November 2026` of a month such as `2026-11`. */
export function monthName(month: string): string {
  return MONTH.format(new Date(`${month}-01T00:00:00Z`));
}
