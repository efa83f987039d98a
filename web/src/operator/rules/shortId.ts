const LONGEST = 18;

/** An id for a table: its kind, its beginning and its end. One that is short stays whole. */
export function shortId(id: string): string {
  return id.length <= LONGEST ? id : `${id.slice(0, 9)}…${id.slice(-5)}`;
}
