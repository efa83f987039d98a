interface Change {
  readonly attribute: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly left_out?: boolean;
}

const LONGEST = 160;

/** What changed, a line for each attribute: `status: active → ending`. Exact, for operators. */
export function changeLines(changes: readonly Change[]): string[] {
  return changes.map(({ attribute, before, after, left_out: isLeftOut }) =>
    isLeftOut === true
      ? `${attribute}: changed; both values were too large to keep`
      : before === null || before === undefined
        ? `${attribute}: ${valueSaid(after)}`
        : `${attribute}: ${valueSaid(before)} → ${valueSaid(after)}`,
  );
}

/** A value in one line, cut where it is long. */
export function valueSaid(value: unknown): string {
  if (value === null || value === undefined) return 'none';
  if (isEntitlements(value)) return value.length === 0 ? 'none' : value.map((one) => `${one.dimension} ${one.value}`).join(', ');
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)} …` : text;
}

function isEntitlements(value: unknown): value is { dimension: string; value: string }[] {
  return Array.isArray(value) && value.every((one: unknown) => typeof one === 'object' && one !== null && 'dimension' in one && 'value' in one);
}
