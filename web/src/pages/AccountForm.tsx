import { type SyntheticEvent, useState } from 'react';
import { type Customer, useChangeAccount } from '../api/account';
import { ServiceError } from '../api/ServiceError';
import { Facts } from '../parts/Facts';
import { Field } from '../parts/Field';
import { Trouble } from '../parts/Trouble';
import { accountChange } from '../rules/accountChange';
import { fieldErrors } from '../rules/fieldErrors';
import { day } from '../rules/moments';

interface AccountFormProps {
  account: Customer;
  etag: string | null;
  /** Reads the account anew, after somebody else has changed it. */
  onReload: () => void;
}

/** E-mail address, name and company. Only what differs is sent, and only onto the version that was read. */
export function AccountForm({ account, etag, onReload }: AccountFormProps) {
  const saving = useChangeAccount(account.customer_id);
  const [email, setEmail] = useState(account.email);
  const [name, setName] = useState(account.name ?? '');
  const [company, setCompany] = useState(account.company ?? '');
  const [said, setSaid] = useState('');
  const errors = fieldErrors(saving.error);
  const isStale = saving.error instanceof ServiceError && saving.error.status === 412;

  const save = (event: SyntheticEvent) => {
    event.preventDefault();
    if (saving.isPending) return;
    const change = accountChange(account, { email, name, company });
    if (change === null) {
      setSaid('Nothing is changed.');
      return;
    }
    setSaid('');
    saving.mutate({ change, etag }, { onSuccess: () => setSaid('Saved.') });
  };

  return (
    <form className="form" onSubmit={save}>
      <Field label="E-mail address" type="email" autoComplete="email" required maxLength={254} value={email} error={errors.email} onChange={(event) => setEmail(event.target.value)} />
      <Field label="Name" autoComplete="name" maxLength={200} value={name} error={errors.name} onChange={(event) => setName(event.target.value)} />
      <Field label="Company" autoComplete="organization" maxLength={200} value={company} error={errors.company} onChange={(event) => setCompany(event.target.value)} />
      <Facts
        facts={[
          ['Customer since', day(account.created_at)],
          ['Customer', <code key="id">{account.customer_id}</code>],
          ['Account', account.account_id === null ? null : <code key="account">{account.account_id}</code>],
        ]}
      />
      {saving.error === null ? null : <Trouble error={saving.error} {...(isStale ? { retry: onReload } : {})} />}
      <p className="actions">
        <button type="submit" className="button" aria-disabled={saving.isPending}>{saving.isPending ? 'Saving …' : 'Save'}</button>
        <span role="status">{said}</span>
      </p>
    </form>
  );
}
