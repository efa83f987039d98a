import { subscriptionAt } from '../addresses';
import type { useBalanceCheck } from '../api/balances';
import { IdLink } from '../parts/IdLink';
import { Problem } from '../parts/Problem';
import { Work } from '../parts/Work';
import { counted } from '../rules/counts';

/** Goes through all balances when it is asked to, and names those that are off. */
export function BalanceCheck({ check, progress }: ReturnType<typeof useBalanceCheck>) {
  const found = progress?.found ?? [];
  return (
    <section className="card" aria-labelledby="balances">
      <h2 id="balances">Balances</h2>
      <p>Whether for every subscription and dimension all accepted units are accounted for. Each balance is read by itself, so this takes a while.</p>
      <Problem error={check.error} />
      <div className="actions">
        <Work quiet busy={check.isPending} saying="Checking …" onDo={() => check.mutate()}>Check all balances</Work>
        <span role="status">{said(progress, check.isPending, check.isSuccess)}</span>
      </div>
      {found.length === 0 ? null : (
        <ul>
          {found.map(({ subscriptionId, dimensions }) => (
            <li key={subscriptionId}><IdLink id={subscriptionId} to={subscriptionAt(subscriptionId)} />: {dimensions.join(', ')}</li>
          ))}
        </ul>
      )}
    </section>
  );
}

function said(progress: ReturnType<typeof useBalanceCheck>['progress'], isPending: boolean, isDone: boolean): string {
  if (progress === null) return isPending ? 'Reading the list of subscriptions.' : isDone ? 'There is no subscription.' : '';
  const off = progress.found.length;
  if (isPending) return `${progress.checked} of ${progress.of} checked, ${off} off.`;
  return off === 0 ? `All balances of ${counted(progress.checked, 'subscription')} are right.` : `${off} of ${counted(progress.checked, 'subscription')} do not balance.`;
}
