import { Link, useLocation } from 'wouter';
import { useUsage } from '../api/usage';
import { useOwnAccount } from '../app/AccountContext';
import { Empty } from '../parts/Empty';
import { Loading } from '../parts/Loading';
import { Page } from '../parts/Page';
import { Trouble } from '../parts/Trouble';
import { isMonth, monthAfter, monthOf, spanOfMonth } from '../rules/months';
import { monthName } from '../rules/moments';
import { inOrder } from '../rules/subscriptionOrder';
import { dimensionsOf } from '../rules/usageGrouping';
import { SubscriptionChoice } from './SubscriptionChoice';
import { UsageCharts } from './UsageCharts';

interface UsagePageProps {
  subscriptionId: string | undefined;
  month: string | undefined;
}

/** What a subscription used in a month. Both stand in the address, so that it can be kept and sent. */
export function UsagePage({ subscriptionId, month }: UsagePageProps) {
  const account = useOwnAccount();
  const held = inOrder(account.subscriptions);
  const chosen = subscriptionId ?? held[0]?.subscription_id;
  if (chosen === undefined) {
    return (
      <Page title="Usage">
        <Empty title="There is no subscription yet, and so no usage." />
      </Page>
    );
  }
  return (
    <Page title="Usage" lead="What your subscription used, by the hour and the day of UTC. New usage is here within seconds.">
      <MonthOfUsage
        subscriptionId={chosen}
        month={month !== undefined && isMonth(month) ? month : monthOf(new Date())}
        held={held}
      />
    </Page>
  );
}

function MonthOfUsage({ subscriptionId, month, held }: { subscriptionId: string; month: string; held: ReturnType<typeof useOwnAccount>['subscriptions'] }) {
  const [, go] = useLocation();
  const usage = useUsage(subscriptionId, spanOfMonth(month), 'day');
  const address = (subscription: string, of: string) => `/usage/${subscription}/${of}`;
  return (
    <>
      <div className="chooser">
        <SubscriptionChoice held={held} chosen={subscriptionId} onChoose={(id) => go(address(id, month))} />
        <nav className="months" aria-label="Month">
          <Link className="button quiet" href={address(subscriptionId, monthAfter(month, -1))} aria-label={`Before: ${monthName(monthAfter(month, -1))}`}>‹</Link>
          <strong aria-live="polite">{monthName(month)}</strong>
          <Link className="button quiet" href={address(subscriptionId, monthAfter(month, 1))} aria-label={`After: ${monthName(monthAfter(month, 1))}`}>›</Link>
        </nav>
      </div>
      {usage.data === undefined ? (
        usage.error === null ? <Loading what="Loading your usage" /> : <Trouble error={usage.error} retry={() => void usage.refetch()} />
      ) : dimensionsOf(usage.data).length === 0 ? (
        <Empty title={`No usage was reported in ${monthName(month)}.`} />
      ) : (
        <UsageCharts key={`${subscriptionId}/${month}`} subscriptionId={subscriptionId} month={month} usage={usage.data} />
      )}
    </>
  );
}
