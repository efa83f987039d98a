/** Months and days of UTC, by which usage is counted. */

/** From a moment on and until another, which is outside; RFC 3339, as `GET /v1/usage` takes them. */
export interface Span {
  readonly from: string;
  readonly until: string;
}

const MONTH = /^(\d{4})-(0[1-9]|1[0-2])$/;

/** `2026-11` of any moment in it. */
export function monthOf(moment: Date): string {
  return moment.toISOString().slice(0, 7);
}

export function isMonth(text: string): boolean {
  return MONTH.test(text);
}

/** The month that lies so many months after (before, if negative). */
export function monthAfter(month: string, months: number): string {
  const [year = 0, number = 1] = month.split('-').map(Number);
  return monthOf(new Date(Date.UTC(year, number - 1 + months, 1)));
}

export function spanOfMonth(month: string): Span {
  return { from: `${month}-01T00:00:00Z`, until: `${monthAfter(month, 1)}-01T00:00:00Z` };
}

export function spanOfDay(day: string): Span {
  const next = new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000);
  return { from: `${day}T00:00:00Z`, until: `${next.toISOString().slice(0, 10)}T00:00:00Z` };
}

/** All days of a month: `2026-11-01` and so on. */
export function daysOf(month: string): string[] {
  const [year = 0, number = 1] = month.split('-').map(Number);
  const last = new Date(Date.UTC(year, number, 0)).getUTCDate();
  return Array.from({ length: last }, (_, index) => `${month}-${String(index + 1).padStart(2, '0')}`);
}

/** The 24 hours of a day: `2026-11-22T00` and so on. */
export function hoursOf(day: string): string[] {
  return Array.from({ length: 24 }, (_, hour) => `${day}T${String(hour).padStart(2, '0')}`);
}
