import type { HeldSubscription } from '../api/account';
import { Choice } from '../parts/Choice';

interface SubscriptionChoiceProps {
  held: readonly HeldSubscription[];
  chosen: string;
  onChoose: (subscriptionId: string) => void;
}

/** Which of the buyer's subscriptions a page is about; nothing to choose where there is one. */
export function SubscriptionChoice({ held, chosen, onChoose }: SubscriptionChoiceProps) {
  if (held.length < 2) return null;
  return (
    <Choice
      label="Subscription"
      value={chosen}
      options={held.map((one) => ({ value: one.subscription_id, text: subscriptionTitle(one) }))}
      onChoose={onChoose}
    />
  );
}

/** The product's title; with the end of the id, by which two of one product are told apart. */
export function subscriptionTitle(one: HeldSubscription): string {
  const title = one.product.title ?? one.product.product_code;
  const state = one.status === 'active' ? '' : `, ${one.status}`;
  return `${title} (…${one.subscription_id.slice(-4)}${state})`;
}
