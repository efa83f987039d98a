import { useState } from 'react';
import { useDeleteAccount } from '../api/account';
import { useConfig } from '../config/ConfigContext';
import { Confirm } from '../parts/Confirm';
import { Trouble } from '../parts/Trouble';
import { useSession } from '../session/SessionContext';

/** The end of an account. Asks first, and says what happens and what does not. */
export function DeleteAccount({ customerId }: { customerId: string }) {
  const session = useSession();
  const { awsMarketplaceUrl } = useConfig();
  const deletion = useDeleteAccount(customerId);
  const [isAsking, setAsking] = useState(false);
  return (
    <section className="section card" aria-labelledby="delete">
      <h2 id="delete">Delete your account</h2>
      <p>
        Your personal data are erased. Subscriptions are not cancelled by it: that is done on{' '}
        <a href={awsMarketplaceUrl} rel="noreferrer">AWS Marketplace</a>.
      </p>
      {deletion.error === null ? null : <Trouble error={deletion.error} />}
      <p className="actions">
        <button type="button" className="button danger" onClick={() => setAsking(true)}>Delete account …</button>
      </p>
      {isAsking ? (
        <Confirm
          title="Delete your account?"
          action="Delete my account"
          busy={deletion.isPending}
          onConfirm={() =>
            deletion.mutate(undefined, {
              onSuccess: () => void session.signOut('deleted'),
              onError: () => setAsking(false),
            })
          }
          onCancel={() => setAsking(false)}
        >
          <ul>
            <li>Your e-mail address, name, company and how you sign in are erased now, for good.</li>
            <li>Your endpoints are stopped.</li>
            <li>You cannot come back to subscriptions that still run: whoever signs in as you is unknown here.</li>
            <li>
              Subscriptions go on at AWS Marketplace and are billed until you cancel them there. Until the last one has
              ended, their ids stay here, so that they are billed to the right agreement.
            </li>
          </ul>
        </Confirm>
      ) : null}
    </section>
  );
}
