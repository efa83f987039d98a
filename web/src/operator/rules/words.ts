/** The contracts' words for operators: exact ones, since it is they who decide. */

import type { Said } from '../../rules/words';

type Outcome = 'planned' | 'billed' | 'duplicate_conflict' | 'not_subscribed' | 'rejected' | 'expired' | 'unknown';

const RECORDS: Readonly<Record<Outcome, Said & { readonly meaning: string }>> = {
  planned: { tone: 'plain', children: 'Planned', meaning: 'Its quantity is frozen; it is sent until AWS answers.' },
  billed: { tone: 'good', children: 'Billed', meaning: 'AWS answered Success.' },
  duplicate_conflict: { tone: 'warn', children: 'Conflict', meaning: 'AWS has another quantity for this hour; the first one stands.' },
  not_subscribed: { tone: 'bad', children: 'Not subscribed', meaning: 'AWS says that the buyer has no active subscription.' },
  rejected: { tone: 'bad', children: 'Rejected', meaning: 'AWS refused this very record.' },
  expired: { tone: 'plain', children: 'Expired', meaning: 'Never sent; its quantity went to a later hour.' },
  unknown: { tone: 'warn', children: 'Unknown', meaning: 'It may have been counted: it was sent, and the answer was lost.' },
};

export function recordSaid(outcome: Outcome): Said {
  const { tone, children } = RECORDS[outcome];
  return { tone, children };
}

export function recordMeaning(outcome: Outcome): string {
  return RECORDS[outcome].meaning;
}

type NewsOutcome = 'applied' | 'no_change' | 'waiting' | 'ignored' | 'unknown_product' | 'other_generation';

const NEWS: Readonly<Record<NewsOutcome, Said & { readonly meaning: string }>> = {
  applied: { tone: 'good', children: 'Applied', meaning: 'It changed a subscription.' },
  no_change: { tone: 'plain', children: 'No change', meaning: 'It was known already, came too late to matter, was a reason to ask AWS, or is a notice in the subscription’s history.' },
  waiting: { tone: 'warn', children: 'Waiting', meaning: 'The licence of its agreement was not known then; it counts as soon as that is.' },
  ignored: { tone: 'plain', children: 'Ignored', meaning: 'It is of a kind that changes nothing.' },
  unknown_product: { tone: 'bad', children: 'Unknown product', meaning: 'The catalogue does not name its product. Mend the catalogue, then replay it.' },
  other_generation: { tone: 'plain', children: 'Other generation', meaning: 'It came by the road of the other generation of products, and so was told twice.' },
};

export function newsSaid(outcome: NewsOutcome): Said {
  const { tone, children } = NEWS[outcome];
  return { tone, children };
}

export function newsMeaning(outcome: NewsOutcome): string {
  return NEWS[outcome].meaning;
}

/** Why usage is held, waits, or was let go. More may come: what is not here is shown as it is. */
const REASONS: Readonly<Record<string, string>> = {
  subscription_unknown: 'No news of the subscription yet',
  subscription_pending: 'The subscription is not active yet',
  subscription_failed: 'The subscription failed',
  several_subscriptions: 'Several subscriptions could be meant',
  no_active_subscription: 'The customer had no active subscription',
  customer_unknown: 'The customer is not known',
  product_unknown: 'The product is not in the catalogue',
  identity_unknown: 'The buyer’s identity is not known',
  entitlement_unknown: 'What the contract holds was never read',
  entitlement_unclear: 'What the contract holds is unclear',
  before_activation: 'Used before the subscription was active',
  after_final_hour: 'Used after the final hour',
  before_cut_over: 'Used before the product was cut over',
  after_cut_over: 'Used after the product was cut over',
  window_closed: 'AWS takes the hour no more',
  corrected: 'Taken off by a correction',
  decided_by_a_person: 'A person decided it',
  hour_not_over: 'The hour is not over',
  hour_not_sealed: 'Late events may still come',
  no_free_hour: 'AWS has a record for each hour that it takes',
  another_product: 'The subscription is of another product',
  not_the_customers: 'The subscription is not one of the customer’s',
  not_active_in_hour: 'The subscription was not active in that hour',
  not_of_a_cut_over: 'Its product was not cut over, so it cannot be given away',
  same_identity: 'Both have the same identity',
  just_changed: 'It has just changed; ask again',
};

export function reasonSaid(reason: string): string {
  return REASONS[reason] ?? reason.replaceAll('_', ' ');
}

const FATES: Readonly<Record<string, Said>> = {
  moved: { tone: 'plain', children: 'Moved' },
  corrected: { tone: 'plain', children: 'Corrected' },
  included: { tone: 'good', children: 'Included' },
  written_off: { tone: 'warn', children: 'Written off' },
  held: { tone: 'warn', children: 'Held' },
  waits: { tone: 'plain', children: 'Waits' },
};

/** What becomes of usage that is not billed now. */
export function fateSaid(fate: string): Said {
  return FATES[fate] ?? { tone: 'plain', children: fate };
}

const RUNS = {
  waiting: { tone: 'plain', children: 'Waiting for a worker' },
  running: { tone: 'warn', children: 'Running' },
  finished: { tone: 'good', children: 'Finished' },
} as const satisfies Record<string, Said>;

/** How far long work has come. */
export function runSaid(state: keyof typeof RUNS): Said {
  return RUNS[state];
}

const DELIVERIES = {
  pending: { tone: 'plain', children: 'Pending' },
  delivered: { tone: 'good', children: 'Delivered' },
  dead: { tone: 'bad', children: 'Given up' },
} as const satisfies Record<string, Said>;

export function deliverySaid(state: keyof typeof DELIVERIES): Said {
  return DELIVERIES[state];
}

const ATTEMPTS: Readonly<Record<string, string>> = {
  delivered: 'Taken',
  status: 'Answered, but not with 2xx',
  gone: 'Answered 410, which disables the endpoint',
  timeout: 'No answer in time',
  not_resolved: 'DNS knows no such name',
  address_refused: 'The name leads inside, which is not allowed',
  not_connected: 'No connection',
  tls_failed: 'TLS failed',
  broken_answer: 'The answer broke off, or was no HTTP',
  endpoint_deleted: 'The endpoint was deleted',
  event_forgotten: 'The event is not kept any more',
};

export function attemptSaid(reason: string): string {
  return ATTEMPTS[reason] ?? reason.replaceAll('_', ' ');
}

const OUTBOX: Readonly<Record<string, string>> = {
  hand_over: 'Hand-over to your back end',
  welcome_letter: 'Welcome letter',
  access_letter: 'Letter that access is there',
  deployment_parameter: 'Quick Launch parameter',
  renewal_notice: 'Notice of a renewal',
};

/** What an outbox item is; a kind that is not known yet is shown as it is. */
export function outboxSaid(kind: string): string {
  return OUTBOX[kind] ?? kind.replaceAll('_', ' ');
}

const AGREEMENT_DIFFERENCES: Readonly<Record<string, string>> = {
  unknown_agreement: 'Active at AWS, not here',
  active_at_aws: 'Active at AWS, over here',
  ended_at_aws: 'Over at AWS, active here',
  entitlements: 'Other entitlements',
};

const ACTIONS: Readonly<Record<string, Said>> = {
  recorded: { tone: 'good', children: 'Taken as lost news' },
  asked_anew: { tone: 'good', children: 'AWS is asked again' },
  reported: { tone: 'bad', children: 'A person must look' },
};

const BILL_DIFFERENCES: Readonly<Record<string, string>> = {
  not_in_our_books: 'Not in our books',
  quantity_differs: 'Another quantity',
  not_at_aws: 'Not at AWS',
  outcome_differs: 'Another outcome',
  billed_under_two_identities: 'Billed under two identities',
  another_region: 'Another Region',
  still_unknown: 'Still unknown',
  unreadable: 'Unreadable',
};

/** What kind of difference a comparison found. */
export function differenceSaid(kind: string): string {
  return AGREEMENT_DIFFERENCES[kind] ?? BILL_DIFFERENCES[kind] ?? kind.replaceAll('_', ' ');
}

/** What was done about a difference with AWS's agreements. */
export function actionSaid(action: string): Said {
  return ACTIONS[action] ?? { tone: 'plain', children: action.replaceAll('_', ' ') };
}
