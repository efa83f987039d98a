import { useState } from 'react';
import { useAccountToChange } from '../api/account';
import { useOwnAccount } from '../app/AccountContext';
import { Loading } from '../parts/Loading';
import { Page } from '../parts/Page';
import { Trouble } from '../parts/Trouble';
import { AccountForm } from './AccountForm';
import { DeleteAccount } from './DeleteAccount';
import { ExportAccount } from './ExportAccount';

/** Who the buyer is, as the seller knows them; what is kept about them; and the end of it. */
export function Settings() {
  const { customer_id: customerId } = useOwnAccount();
  const account = useAccountToChange(customerId);
  // The form is made anew when it was read anew, and not when it has saved: then it says so.
  const [reading, setReading] = useState(0);
  const readAgain = () => void account.refetch().then(() => setReading((before) => before + 1));
  return (
    <Page title="Settings">
      <section className="section card" aria-labelledby="you">
        <h2 id="you">Who you are</h2>
        {account.data === undefined ? (
          account.error === null ? <Loading what="Loading your account" /> : <Trouble error={account.error} retry={() => void account.refetch()} />
        ) : (
          <AccountForm key={reading} account={account.data.body} etag={account.data.etag} onReload={readAgain} />
        )}
      </section>
      <ExportAccount customerId={customerId} />
      <DeleteAccount customerId={customerId} />
    </Page>
  );
}
