/** What a person may decide about a metering record; see `PUT …/resolution` in openapi/metering.yaml. */

/** The outcomes that leave something open: nothing of such a record is billed again by itself. */
export const OPEN_OUTCOMES = ['unknown', 'duplicate_conflict', 'not_subscribed', 'rejected'] as const;
export type OpenOutcome = (typeof OPEN_OUTCOMES)[number];
export type Decision = 'bill_again' | 'write_off' | 'billed';

interface Decidable {
  readonly outcome: string;
  readonly resolution: unknown;
}

/** Whether a record waits for a person. A decision stands, so one that has been decided does not. */
export function isToDecide(record: Decidable): boolean {
  return record.resolution === null && OPEN_OUTCOMES.some((one) => one === record.outcome);
}

interface DecisionSaid {
  readonly value: Decision;
  readonly text: string;
  /** What it does to the buyer's bill. */
  readonly meaning: string;
}

export const DECISIONS: readonly DecisionSaid[] = [
  {
    value: 'bill_again',
    text: 'Bill again',
    meaning: 'AWS has not counted it. Its quantity goes out in the next hour that is free. If AWS did count it, the buyer pays twice.',
  },
  {
    value: 'billed',
    text: 'It is billed',
    meaning: 'AWS has counted it, as its own records show. Nothing is sent. If AWS did not count it, it is never paid.',
  },
  { value: 'write_off', text: 'Write off', meaning: 'It is never billed.' },
];

export function decisionSaid(decision: Decision): DecisionSaid {
  const found = DECISIONS.find((one) => one.value === decision);
  if (found === undefined) throw new RangeError(`There is no decision "${decision}".`);
  return found;
}

/** A reason as it is sent, or null where it says nothing: the books keep it for whoever audits them. */
export function reasonFrom(entered: string): string | null {
  const text = entered.trim();
  return text === '' ? null : text.slice(0, 500);
}
