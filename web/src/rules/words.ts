/** The contracts' words, for people. */

import type { Tone } from '../parts/Badge';

export interface Said {
  readonly tone: Tone;
  readonly children: string;
}

type Status = 'pending' | 'active' | 'ending' | 'ended' | 'failed';

const STATUSES: Readonly<Record<Status, Said>> = {
  pending: { tone: 'plain', children: 'Pending' },
  active: { tone: 'good', children: 'Active' },
  ending: { tone: 'warn', children: 'Ending' },
  ended: { tone: 'plain', children: 'Ended' },
  failed: { tone: 'bad', children: 'Failed' },
};

export function statusWords(status: Status): Said {
  return STATUSES[status];
}

export function accessWords(access: 'granted' | 'denied'): Said {
  return access === 'granted' ? { tone: 'good', children: 'Access' } : { tone: 'plain', children: 'No access' };
}

/** What a status means for the buyer, in a sentence. */
const MEANINGS: Readonly<Record<Status, string>> = {
  pending: 'AWS Marketplace has not confirmed it yet. That takes about two minutes, rarely longer.',
  active: 'It runs.',
  ending: 'It has ended at AWS Marketplace; its last usage is being billed.',
  ended: 'It has ended.',
  failed: 'AWS Marketplace could not activate it, so nothing is charged. Check the payment method of your AWS account, then subscribe again.',
};

export function statusMeaning(status: Status): string {
  return MEANINGS[status];
}

type Outcome = 'planned' | 'billed' | 'duplicate_conflict' | 'not_subscribed' | 'rejected' | 'expired' | 'unknown';

const OUTCOMES: Readonly<Record<Outcome, Said>> = {
  planned: { tone: 'plain', children: 'Being sent' },
  billed: { tone: 'good', children: 'Billed' },
  duplicate_conflict: { tone: 'warn', children: 'In question' },
  not_subscribed: { tone: 'warn', children: 'Not billed' },
  rejected: { tone: 'warn', children: 'Not billed' },
  expired: { tone: 'plain', children: 'Moved on' },
  unknown: { tone: 'warn', children: 'In question' },
};

/** What became of a metering record. */
export function outcomeWords(outcome: Outcome): Said {
  return OUTCOMES[outcome];
}

const OUTCOME_MEANINGS: Readonly<Partial<Record<Outcome, string>>> = {
  duplicate_conflict: 'AWS Marketplace has another quantity for this hour.',
  not_subscribed: 'AWS Marketplace knew no active subscription.',
  rejected: 'AWS Marketplace refused it.',
  expired: 'Its quantity went to a later hour.',
  unknown: 'AWS Marketplace’s answer was lost; the seller looks into it.',
};

/** What an outcome means, where its word alone does not say. */
export function outcomeMeaning(outcome: Outcome): string | null {
  return OUTCOME_MEANINGS[outcome] ?? null;
}

const END_REASONS: Readonly<Record<string, string>> = {
  CANCELLED: 'Cancelled',
  EXPIRED: 'Expired',
  TERMINATED: 'Terminated',
  RENEWED: 'Renewed',
  REPLACED: 'Replaced',
};

/** AWS's word at the end of an agreement; one that is not known yet is shown as it is. */
export function endReasonWords(reason: string): string {
  return END_REASONS[reason] ?? reason;
}

const ENDPOINT_ENDS: Readonly<Record<string, string>> = {
  deleted_by_owner: 'Deleted by you',
  deleted_by_operator: 'Deleted by the seller',
  subscription_ended: 'Stopped with its subscription',
  customer_deleted: 'Stopped with the account',
};

export function endpointEndWords(reason: string | null): string {
  return ENDPOINT_ENDS[reason ?? ''] ?? 'Deleted';
}

/** A dimension's API id, such as `gpu_hours`, as a title: `GPU hours`. */
export function dimensionTitle(dimension: string): string {
  const words = dimension.split(/[_.\-\s]+/).filter((word) => word !== '');
  const said = words.map((word) => (/^(cpu|gpu|tpu|api|io|gb|mb|tb|gib|mib)$/i.test(word) ? word.toUpperCase() : word));
  const title = said.join(' ');
  return title === '' ? dimension : title.charAt(0).toUpperCase() + title.slice(1);
}
