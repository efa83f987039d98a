import type { CustomerFilters } from '../api/customers';

/** By what customers are looked for. */
export type SearchBy = 'email' | 'subscription_id' | 'customer_aws_account_id' | 'account_id' | 'product_code';

export const SEARCHES: readonly { readonly value: SearchBy; readonly text: string }[] = [
  { value: 'email', text: 'E-mail address' },
  { value: 'subscription_id', text: 'Subscription' },
  { value: 'customer_aws_account_id', text: 'AWS account' },
  { value: 'account_id', text: 'Seller’s account id' },
  { value: 'product_code', text: 'Product code' },
];

/** The filter for what was entered; none, and so all customers, where nothing was. */
export function filterFrom(by: SearchBy, entered: string): CustomerFilters {
  const text = entered.trim();
  return text === '' ? {} : { [by]: text };
}
