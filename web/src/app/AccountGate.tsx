import { type ReactNode } from 'react';
import { useAccount } from '../api/account';
import { useConfig } from '../config/ConfigContext';
import { Loading } from '../parts/Loading';
import { Page } from '../parts/Page';
import { Trouble } from '../parts/Trouble';
import { AccountContext } from './AccountContext';

/** Shows its children to who has an account, and to all others where accounts come from. */
export function AccountGate({ children }: { children: ReactNode }) {
  const account = useAccount();
  const { awsMarketplaceUrl } = useConfig();
  if (account.data === undefined) {
    if (account.error === null) return <Loading what="Loading your account" />;
    return (
      <Page title="Your account">
        <Trouble error={account.error} retry={() => void account.refetch()} />
      </Page>
    );
  }
  if (account.data === null) {
    return (
      <Page title="There is no account for this sign-in yet" narrow>
        <p>
          An account is made when you set up a subscription that you bought on AWS Marketplace. Sign in to AWS, open{' '}
          <strong>Manage subscriptions</strong>, choose the product and press <strong>Set up your account</strong>; there, sign
          in as the same person as here.
        </p>
        <p className="actions">
          <a className="button" href={awsMarketplaceUrl} rel="noreferrer">Open AWS Marketplace</a>
          <button type="button" className="button quiet" onClick={() => void account.refetch()}>Look again</button>
        </p>
      </Page>
    );
  }
  return <AccountContext value={account.data}>{children}</AccountContext>;
}
