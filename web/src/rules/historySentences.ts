import { day } from './moments';
import { dimensionTitle, endReasonWords, statusWords } from './words';

interface Change {
  readonly attribute: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

interface Entry {
  readonly cause: 'notification' | 'answer' | 'time';
  /** Buyers are not told by which message. */
  readonly name?: string | null;
  readonly changes: readonly Change[];
  /** What AWS tells the seller of it; not for buyers. */
  readonly notice?: Readonly<Record<string, string>> | null;
}

/** What a buyer need not read of: each is AWS's or our own name for a thing, and stands among the ids. */
const UNSAID = new Set([
  'agreement_id',
  'changed_at',
  'changed_by',
  'customer_aws_account_id',
  'customer_identifier',
  'generation',
  'license_arn',
  'offer_id',
  'product_code',
  'subscription_id',
  'version',
]);
const STATUSES = ['pending', 'active', 'ending', 'ended', 'failed'] as const;
const MOMENTS: Readonly<Record<string, string>> = {
  trial_ends_at: 'The free trial ends on',
  agreement_ends_at: 'The agreement ends on',
  meter_until: 'Usage is billed until',
  active_since: 'Active since',
  ended_at: 'Ended on',
};

/** What an entry of a subscription's history says, in sentences; never none. */
export function historySentences(entry: Entry): string[] {
  if (entry.notice != null) return [`AWS Marketplace says: ${noticeTitle(entry.name ?? null)}.`];
  const sentences = entry.changes.flatMap(({ attribute, after }) => {
    const said = sentence(attribute, after);
    return said === null ? [] : [said];
  });
  return sentences.length > 0 ? sentences : [BY_CAUSE[entry.cause]];
}

const BY_CAUSE: Readonly<Record<Entry['cause'], string>> = {
  notification: 'AWS Marketplace sent news of it.',
  answer: 'AWS Marketplace was asked about it.',
  time: 'Its last hour was over.',
};

/** AWS's word for a notice, without whom it was addressed to. */
function noticeTitle(name: string | null): string {
  return name?.replace(/ - (Proposer|Manufacturer)$/, '') ?? 'a notice';
}

function sentence(attribute: string, after: unknown): string | null {
  if (UNSAID.has(attribute)) return null;
  if (attribute === 'status') {
    const status = STATUSES.find((one) => one === after);
    return status === undefined ? null : `Status: ${statusWords(status).children.toLowerCase()}.`;
  }
  if (attribute === 'access') {
    return after === 'granted' || after === 'denied' ? (after === 'granted' ? 'Access granted.' : 'Access ended.') : null;
  }
  if (attribute === 'entitlements') return 'What the contract holds changed.';
  if (attribute === 'free_trial') return after === true ? 'It comes with a free trial.' : null;
  if (attribute === 'end_reason') return typeof after === 'string' ? `${endReasonWords(after)}.` : null;
  if (attribute === 'next_subscription_id') return after === null ? null : 'Another subscription renewed or replaced it.';
  if (attribute === 'previous_subscription_id') return after === null ? null : 'It renewed or replaced another subscription.';
  const opening = MOMENTS[attribute];
  if (opening !== undefined) return typeof after === 'string' ? `${opening} ${day(after)}.` : null;
  return `${dimensionTitle(attribute)} changed.`;
}
