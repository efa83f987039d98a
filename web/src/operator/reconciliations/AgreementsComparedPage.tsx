import { Link } from 'wouter';
import { Badge } from '../../parts/Badge';
import { Empty } from '../../parts/Empty';
import { Facts } from '../../parts/Facts';
import { ListOf } from '../../parts/ListOf';
import { Page } from '../../parts/Page';
import { type Column, Table } from '../../parts/Table';
import { dayAndTime } from '../../rules/moments';
import { newsAt, subscriptionAt } from '../addresses';
import { type AgreementDifference, type AgreementsCompared, useAgreementDifferences, useAgreementsCompared } from '../api/agreementsCompared';
import { Tiles } from '../metering/Tiles';
import { ReconciliationsNav } from '../parts/areas';
import { IdLink } from '../parts/IdLink';
import { Read } from '../parts/Read';
import { actionSaid, differenceSaid, runSaid } from '../rules/words';

const COLUMNS: readonly Column<AgreementDifference>[] = [
  { title: 'Difference', cell: (one) => <>{differenceSaid(one.kind)}<small>{one.agreement_id}</small></> },
  { title: 'Ours', cell: (one) => one.ours },
  { title: 'AWS’s', cell: (one) => one.theirs },
  { title: 'Done', cell: (one) => <><Badge {...actionSaid(one.action)} />{one.notification_ids.map((id) => <small key={id}><Link href={newsAt(id)}>The news that was made of it</Link></small>)}</> },
  { title: 'Subscription', cell: (one) => (one.subscription_id === null ? '–' : <IdLink id={one.subscription_id} to={subscriptionAt(one.subscription_id)} />) },
];

/** A comparison with AWS's agreements, followed until it is finished. */
export function AgreementsComparedPage({ id }: { id: string }) {
  const comparison = useAgreementsCompared(id);
  const differences = useAgreementDifferences(id, comparison.data?.differences ?? 0);
  return (
    <Page title="Agreements compared" lead={<code>{id}</code>} actions={<Link href="/operator/reconciliations">Compare again</Link>}>
      <ReconciliationsNav />
      <Read query={comparison} loading="Loading the comparison">
        {(one) => (
          <>
            <p className="badges"><Badge {...runSaid(one.state)} /></p>
            <p role="status">{progressSaid(one)}</p>
            {one.last_failure === null ? null : <div className="box warn"><p className="box-title">It did not go on at once</p><p>{one.last_failure}</p></div>}
            <Tiles
              tiles={[
                { name: 'Agreements read', value: String(one.agreements_read), note: 'Active at AWS', to: null },
                { name: 'Compared', value: String(one.subscriptions_compared), note: 'Subscriptions that are alive here', to: null },
                { name: 'Not told', value: String(one.not_told), note: 'AWS tells nothing of them', to: null },
                { name: 'Differences', value: String(one.differences), note: `${one.healed} healed or being healed`, to: null },
              ]}
            />
            <section className="card" aria-label="About this comparison">
              <Facts facts={[['Asked for', `${dayAndTime(one.requested_at)}, by ${one.requested_by}`], ['Started', one.started_at === null ? null : dayAndTime(one.started_at)], ['Finished', one.finished_at === null ? null : dayAndTime(one.finished_at)]]} />
            </section>
          </>
        )}
      </Read>
      <section className="section" aria-labelledby="differences">
        <h2 id="differences">Differences</h2>
        <ListOf list={differences} loading="Loading differences" empty={<Empty title={comparison.data?.state === 'finished' ? 'Nothing differs.' : 'None was found so far.'} />}>
          {(items) => <Table caption="Differences" columns={COLUMNS} rows={items} keyOf={(one) => [one.kind, one.agreement_id, one.subscription_id, one.found_at].join(' ')} />}
        </ListOf>
      </section>
    </Page>
  );
}

function progressSaid(one: AgreementsCompared): string {
  if (one.state === 'waiting') return 'A worker takes it up at its next beat.';
  if (one.state === 'finished') return 'All agreements and subscriptions were compared.';
  return one.step === 'agreements' ? `Reading what AWS has: ${one.agreements_read} agreements so far.` : `Going through what we have: ${one.subscriptions_compared} subscriptions so far.`;
}
