import { Link } from 'wouter';
import { isPending, useAccess } from '../api/account';
import { type Subscription, useSubscriptions } from '../api/subscriptions';
import { useOwnAccount } from '../app/AccountContext';
import { useConfig } from '../config/ConfigContext';
import { Badge } from '../parts/Badge';
import { Empty } from '../parts/Empty';
import { ListOf } from '../parts/ListOf';
import { Page } from '../parts/Page';
import { Trouble } from '../parts/Trouble';
import { inOrder } from '../rules/subscriptionOrder';
import { accessWords, statusMeaning, statusWords } from '../rules/words';
import { Entitlements } from './Entitlements';
import { SubscriptionFacts } from './SubscriptionFacts';

/** What the buyer holds, and what it gives them. */
export function Subscriptions() {
  const account = useOwnAccount();
  const { awsMarketplaceUrl } = useConfig();
  const subscriptions = useSubscriptions(account.subscriptions);
  const access = useAccess(account.customer_id);
  const waiting = account.subscriptions.filter(
    (held) => isPending(held) && !subscriptions.items?.some((one) => one.subscription_id === held.subscription_id),
  );

  const titleOf = (one: Subscription) =>
    account.subscriptions.find((held) => held.subscription_id === one.subscription_id)?.product.title ?? one.product_code;
  const entitlementsOf = (one: Subscription) =>
    access.data?.subscriptions.find((held) => held.subscription_id === one.subscription_id)?.entitlements ?? one.entitlements;

  return (
    <Page
      title="Your subscriptions"
      lead={greeting(account.access)}
      actions={<a className="button quiet" href={awsMarketplaceUrl} rel="noreferrer">Manage on AWS Marketplace</a>}
    >
      {access.error === null ? null : <Trouble error={access.error} retry={() => void access.refetch()} />}
      <ListOf
        list={subscriptions}
        loading="Loading your subscriptions"
        empty={
          waiting.length > 0 ? null : (
            <Empty title="There is no subscription yet.">
              <p>What you subscribe to on AWS Marketplace and set up here is shown in this place.</p>
            </Empty>
          )
        }
      >
        {(items) => (
          <ul className="cards">
            {inOrder(items).map((one) => (
              <li key={one.subscription_id} className="card">
                <div className="card-head">
                  <h2><Link href={`/subscriptions/${one.subscription_id}`}>{titleOf(one)}</Link></h2>
                  <span className="badges">
                    <Badge {...statusWords(one.status)} />
                    <Badge {...accessWords(one.access)} />
                  </span>
                </div>
                {one.status === 'active' ? null : <p>{statusMeaning(one.status)}</p>}
                <SubscriptionFacts subscription={one} />
                <Entitlements entitlements={entitlementsOf(one)} asOf={one.entitlements_as_of} />
                <p className="actions">
                  <Link href={`/usage/${one.subscription_id}`}>Usage</Link>
                  <Link href={`/billing/${one.subscription_id}`}>Billing</Link>
                  <Link href={`/subscriptions/${one.subscription_id}`}>Details and history</Link>
                </p>
              </li>
            ))}
          </ul>
        )}
      </ListOf>
      {waiting.map((held) => (
        <div key={held.subscription_id} className="card">
          <div className="card-head">
            <h2>{held.product.title ?? held.product.product_code}</h2>
            <Badge {...statusWords('pending')} />
          </div>
          <p>{statusMeaning('pending')}</p>
        </div>
      ))}
    </Page>
  );
}

function greeting(access: 'granted' | 'denied'): string {
  return access === 'granted' ? 'You have access.' : 'None of your subscriptions gives access now.';
}
