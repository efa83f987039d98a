import { instantFrom } from './instants';

/** What was entered to look for, with what is empty left out and the rest trimmed. */
export function filled<Key extends string>(entered: Readonly<Record<Key, string>>): Partial<Record<Key, string>> {
  return Object.fromEntries(
    Object.entries<string>(entered)
      .map(([key, text]) => [key, text.trim()] as const)
      .filter(([, text]) => text !== ''),
  ) as Partial<Record<Key, string>>;
}

export interface NewsSearch {
  readonly outcome: string;
  readonly name: string;
  readonly subject: string;
  readonly subscription_id: string;
  readonly received_after: string;
  readonly received_before: string;
}

/** The filters of `GET /v1/notifications` for what was entered; a moment that is none is left out. */
export function newsFilters(entered: NewsSearch): Partial<Record<keyof NewsSearch, string>> {
  return filled({
    ...entered,
    received_after: instantFrom(entered.received_after) ?? '',
    received_before: instantFrom(entered.received_before) ?? '',
  });
}

const SUBSCRIPTION = /^sub_[a-z2-7]{26}$/;

export function isSubscriptionId(text: string): boolean {
  return SUBSCRIPTION.test(text);
}
