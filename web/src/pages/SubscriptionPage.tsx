import { Link } from 'wouter';
import { type HistoryEntry, useHistory, useSubscription } from '../api/subscriptions';
import { useOwnAccount } from '../app/AccountContext';
import { useConfig } from '../config/ConfigContext';
import { Badge } from '../parts/Badge';
import { Empty } from '../parts/Empty';
import { ListOf } from '../parts/ListOf';
import { Loading } from '../parts/Loading';
import { Page } from '../parts/Page';
import { Trouble } from '../parts/Trouble';
import { historySentences } from '../rules/historySentences';
import { Moment } from '../parts/Moment';
import { accessWords, statusMeaning, statusWords } from '../rules/words';
import { Entitlements } from './Entitlements';
import { SubscriptionFacts } from './SubscriptionFacts';

/** One subscription whole: its state, its ids, and how it came to be what it is. */
export function SubscriptionPage({ subscriptionId }: { subscriptionId: string }) {
  const account = useOwnAccount();
  const { awsMarketplaceUrl } = useConfig();
  const subscription = useSubscription(subscriptionId);
  const history = useHistory(subscriptionId);
  const held = account.subscriptions.find((one) => one.subscription_id === subscriptionId);
  const one = subscription.data;
  const title = held?.product.title ?? one?.product_code ?? 'Subscription';

  if (one === undefined) {
    return (
      <Page title={title}>
        {subscription.error === null ? (
          <Loading what="Loading the subscription" />
        ) : (
          <Trouble error={subscription.error} retry={() => void subscription.refetch()} />
        )}
        <p><Link href="/">All subscriptions</Link></p>
      </Page>
    );
  }
  return (
    <Page
      title={title}
      lead={one.status === 'active' ? undefined : statusMeaning(one.status)}
      actions={<a className="button quiet" href={awsMarketplaceUrl} rel="noreferrer">Manage on AWS Marketplace</a>}
    >
      <p className="badges">
        <Badge {...statusWords(one.status)} />
        <Badge {...accessWords(one.access)} />
      </p>
      <div className="two">
        <section className="card" aria-labelledby="about">
          <h2 id="about">About it</h2>
          <SubscriptionFacts subscription={one} withIds />
          {one.next_subscription_id === null ? null : (
            <p><Link href={`/subscriptions/${one.next_subscription_id}`}>What renewed or replaced it</Link></p>
          )}
          {one.previous_subscription_id === null ? null : (
            <p><Link href={`/subscriptions/${one.previous_subscription_id}`}>What it renewed or replaced</Link></p>
          )}
          <p className="actions">
            <Link href={`/usage/${subscriptionId}`}>Usage</Link>
            <Link href={`/billing/${subscriptionId}`}>Billing</Link>
          </p>
        </section>
        <div className="stack">
          {(one.entitlements ?? []).length === 0 ? null : (
            <div className="card"><Entitlements entitlements={one.entitlements} asOf={one.entitlements_as_of} level={2} /></div>
          )}
          <section className="card" aria-labelledby="history">
          <h2 id="history">History</h2>
          <ListOf list={history} loading="Loading the history" empty={<Empty title="Nothing has happened yet." />}>
            {(entries) => (
              <ol className="history">
                {entries.map((entry, index) => <Entry key={`${entry.version}-${entry.recorded_at}-${index}`} entry={entry} />)}
              </ol>
            )}
          </ListOf>
          </section>
        </div>
      </div>
    </Page>
  );
}

function Entry({ entry }: { entry: HistoryEntry }) {
  return (
    <li>
      <p className="when"><Moment at={entry.event_time ?? entry.recorded_at} /></p>
      {historySentences(entry).map((sentence) => <p key={sentence}>{sentence}</p>)}
    </li>
  );
}
