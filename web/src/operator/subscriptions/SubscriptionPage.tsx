import { Link } from 'wouter';
import { Badge } from '../../parts/Badge';
import { Facts } from '../../parts/Facts';
import { Page } from '../../parts/Page';
import { day, dayAndTime } from '../../rules/moments';
import { entitledTo } from '../../rules/entitledTo';
import { accessWords, dimensionTitle, endReasonWords, statusWords } from '../../rules/words';
import { customerAt, newsAt, recordsAt, subscriptionAt } from '../addresses';
import { type Owner, useOwner, useSubscriptionTold } from '../api/subscriptions';
import type { SubscriptionTold } from '../api/told';
import { Read } from '../parts/Read';
import { BalanceTable } from './BalanceTable';
import { Timeline } from './Timeline';

/** One subscription: what it is now, where its units are, and its whole life. */
export function SubscriptionPage({ subscriptionId }: { subscriptionId: string }) {
  const subscription = useSubscriptionTold(subscriptionId);
  const owner = useOwner(subscriptionId);
  const held = owner.data?.customer.subscriptions.find((one) => one.subscription_id === subscriptionId);
  return (
    <Page title={held?.product.title ?? subscription.data?.product_code ?? 'Subscription'} lead={<code>{subscriptionId}</code>} actions={<Link href="/operator/subscriptions">All subscriptions</Link>}>
      <Read query={subscription} loading="Loading the subscription">
        {(one) => (
          <>
            <p className="badges">
              <Badge {...statusWords(one.status)} />
              <Badge {...accessWords(one.access)} />
              {one.free_trial === true ? <Badge tone="plain">Free trial</Badge> : null}
            </p>
            <div className="two">
              <section className="card" aria-labelledby="state">
                <h2 id="state">State</h2>
                <State subscription={one} />
              </section>
              <section className="card" aria-labelledby="names">
                <h2 id="names">Who and what</h2>
                <Read query={owner} loading="Looking for the customer">{(found) => <Who owner={found} />}</Read>
                <Names subscription={one} />
              </section>
            </div>
            <section className="section" aria-labelledby="balance">
              <div className="card-head">
                <h2 id="balance">Where its units are</h2>
                <Link href={recordsAt('all', subscriptionId)}>Its metering records</Link>
              </div>
              <BalanceTable subscriptionId={subscriptionId} />
            </section>
          </>
        )}
      </Read>
      <section className="section" aria-labelledby="life">
        <h2 id="life">Its life</h2>
        <Timeline subscriptionId={subscriptionId} owner={owner} />
      </section>
    </Page>
  );
}

function State({ subscription: one }: { subscription: SubscriptionTold }) {
  return (
    <Facts
      facts={[
        ['Active since', one.active_since === null ? null : dayAndTime(one.active_since)],
        ['Trial ends', one.trial_ends_at === null ? null : day(one.trial_ends_at)],
        ['Agreement ends', one.agreement_ends_at === null ? null : day(one.agreement_ends_at)],
        ['Ended', one.ended_at === null ? null : <>{dayAndTime(one.ended_at)}{one.end_reason === null ? null : <small>{endReasonWords(one.end_reason)}</small>}</>],
        ['Final hour', one.meter_until === null ? null : <>AWS takes usage until {dayAndTime(one.meter_until)}</>],
        ['Entitlements', <Entitlements key="held" subscription={one} />],
        ['Renews', one.previous_subscription_id === null ? null : <Link key="before" href={subscriptionAt(one.previous_subscription_id)}>The one before</Link>],
        ['Renewed by', one.next_subscription_id === null ? null : <Link key="after" href={subscriptionAt(one.next_subscription_id)}>The one after</Link>],
        ['Version', <>{one.version}<small>{dayAndTime(one.changed_at)}, by <Link href={newsAt(one.changed_by)}>this message</Link></small></>],
      ]}
    />
  );
}

function Entitlements({ subscription: one }: { subscription: SubscriptionTold }) {
  if (one.entitlements === null) return <>Never read</>;
  const asOf = one.entitlements_as_of === null ? null : <small>as of {dayAndTime(one.entitlements_as_of)}</small>;
  if (one.entitlements.length === 0) return <>AWS says none{asOf}</>;
  return (
    <>
      {one.entitlements.map((held) => (
        <span key={held.dimension}>
          {dimensionTitle(held.dimension)}: {entitledTo(held)}
          {held.expires_at === null ? null : <small>until {day(held.expires_at)}</small>}
        </span>
      ))}
      {asOf}
    </>
  );
}

function Who({ owner }: { owner: Owner | null }) {
  if (owner === null) return <p className="soft">Nobody has registered it yet.</p>;
  return (
    <Facts
      facts={[
        ['Customer', <Link key="who" href={customerAt(owner.customer.customer_id)}>{owner.customer.name ?? owner.customer.email}</Link>],
        ['Registered', owner.claim === null ? null : dayAndTime(owner.claim.claimed_at)],
      ]}
    />
  );
}

function Names({ subscription: one }: { subscription: SubscriptionTold }) {
  return (
    <Facts
      facts={[
        ['Generation', one.generation === 'legacy' ? 'Legacy (SNS)' : 'Concurrent agreements (EventBridge)'],
        ['Product code', <code key="product">{one.product_code}</code>],
        ['Licence ARN', code(one.license_arn)],
        ['Customer identifier', code(one.customer_identifier)],
        ['Agreement', code(one.agreement_id)],
        ['AWS account', code(one.customer_aws_account_id)],
        ['Offer', code(one.offer_id)],
      ]}
    />
  );
}

function code(text: string | null) {
  return text === null ? null : <code>{text}</code>;
}
