import { microsFrom, type Micros } from './quantities';

interface Balance {
  readonly accepted: string;
  readonly open: string;
  readonly planned: string;
  readonly billed: string;
  readonly included: string;
  readonly held: string;
  readonly conflicting: string;
  readonly written_off: string;
}

export interface BalancePart {
  readonly name: string;
  readonly meaning: string;
  readonly quantity: Micros;
}

const PARTS: readonly (readonly [key: Exclude<keyof Balance, 'accepted'>, name: string, meaning: string])[] = [
  ['billed', 'Billed', 'AWS Marketplace has it on your bill.'],
  ['included', 'Included', 'Your contract has paid for it.'],
  ['planned', 'Being sent', 'It is on its way to AWS Marketplace.'],
  ['open', 'Not billed yet', 'Its hour is still running, or it waits for the next one.'],
  ['held', 'Held', 'It cannot be billed yet; you are charged nothing for it now.'],
  ['conflicting', 'In question', 'AWS Marketplace has another quantity for its hour; the seller looks into it.'],
  ['written_off', 'Not billed', 'It is never charged.'],
];

/** Where accepted units are now. What is billed is always there; of the others those that are not zero. */
export function balanceParts(balance: Balance): BalancePart[] {
  return PARTS.map(([key, name, meaning]) => ({ name, meaning, quantity: microsFrom(balance[key]) })).filter(
    (part, index) => index === 0 || part.quantity !== 0n,
  );
}
