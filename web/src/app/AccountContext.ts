import { createContext, use } from 'react';
import type { Customer } from '../api/account';

export const AccountContext = createContext<Customer | null>(null);

/** The buyer's account; there is one on each of the buyer's pages. */
export function useOwnAccount(): Customer {
  const account = use(AccountContext);
  if (account === null) throw new Error('There is no account here.');
  return account;
}
