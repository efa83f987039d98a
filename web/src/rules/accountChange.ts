export interface AccountEntries {
  readonly email: string;
  readonly name: string;
  readonly company: string;
}

interface AccountNow {
  readonly email: string;
  readonly name: string | null;
  readonly company: string | null;
}

type Change = Partial<{ email: string; name: string | null; company: string | null }>;

/** What `PATCH /v1/customers/{customer_id}` has to say: what differs; an emptied entry is null. Null where nothing does. */
export function accountChange(now: AccountNow, entered: AccountEntries): Change | null {
  const change: Change = {};
  const email = entered.email.trim();
  const name = entered.name.trim() === '' ? null : entered.name.trim();
  const company = entered.company.trim() === '' ? null : entered.company.trim();
  if (email !== now.email) change.email = email;
  if (name !== now.name) change.name = name;
  if (company !== now.company) change.company = company;
  return Object.keys(change).length === 0 ? null : change;
}
