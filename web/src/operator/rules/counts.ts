/** A number of what was read, which is a least one where the list went on. */
export interface Count {
  readonly number: number;
  readonly isAll: boolean;
}

/** `3`, or `3 or more` where not all was read. */
export function countSaid({ number, isAll }: Count): string {
  return isAll ? String(number) : `${number} or more`;
}

/** `1 record`, `2 records`. */
export function counted(number: number, one: string, several = `${one}s`): string {
  return `${number} ${number === 1 ? one : several}`;
}

/** The sum of several counts. */
export function together(counts: readonly Count[]): Count {
  return { number: counts.reduce((sum, one) => sum + one.number, 0), isAll: counts.every((one) => one.isAll) };
}
