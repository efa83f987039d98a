import type { Subscription } from '../api/subscriptions';
import { Facts } from '../parts/Facts';
import { day, dayAndTime } from '../rules/moments';
import { endReasonWords } from '../rules/words';

/** A subscription's dates and, where asked for, the ids by which support and AWS know it. */
export function SubscriptionFacts({ subscription: one, withIds = false }: { subscription: Subscription; withIds?: boolean }) {
  const since = one.active_since === null ? null : day(one.active_since);
  const ended = one.ended_at === null ? null : dayAndTime(one.ended_at);
  return (
    <Facts
      facts={[
        ['Active since', since],
        ['Free trial', trial(one)],
        ['Agreement ends', one.agreement_ends_at === null ? null : day(one.agreement_ends_at)],
        ['Ended', ended === null ? null : <>{ended}{one.end_reason === null ? null : <small>{endReasonWords(one.end_reason)}</small>}</>],
        ...(withIds
          ? ([
              ['AWS account', one.customer_aws_account_id],
              ['Agreement', code(one.agreement_id)],
              ['Licence', code(one.license_arn)],
              ['AWS customer', code(one.customer_identifier)],
              ['Offer', code(one.offer_id)],
              ['Product code', code(one.product_code)],
              ['Subscription', code(one.subscription_id)],
            ] as const)
          : []),
      ]}
    />
  );
}

function trial(one: Subscription): string | null {
  if (one.free_trial !== true) return null;
  return one.trial_ends_at === null ? 'Yes' : `Until ${day(one.trial_ends_at)}`;
}

function code(text: string | null) {
  return text === null ? null : <code>{text}</code>;
}
