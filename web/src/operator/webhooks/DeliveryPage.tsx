import { useState } from 'react';
import { Link } from 'wouter';
import { Badge } from '../../parts/Badge';
import { Facts } from '../../parts/Facts';
import { Page } from '../../parts/Page';
import { type Column, Table } from '../../parts/Table';
import { dayAndTime } from '../../rules/moments';
import { replayAt, subscriptionAt, webhookAt } from '../addresses';
import { useDelivery, useRedeliver, type WholeDelivery } from '../api/deliveries';
import { WebhooksNav } from '../parts/areas';
import { AskFirst } from '../parts/AskFirst';
import { Done } from '../parts/Done';
import { Problem } from '../parts/Problem';
import { Read } from '../parts/Read';
import { attemptSaid, deliverySaid } from '../rules/words';

type Attempt = WholeDelivery['attempts'][number];

const COLUMNS: readonly Column<Attempt>[] = [
  { title: 'At', cell: (one) => dayAndTime(one.at) },
  { title: 'What came of it', cell: (one) => <>{attemptSaid(one.reason)}{one.status === null ? '' : ` (${one.status})`}<small>{one.excerpt}</small></> },
  { title: 'Took', cell: (one) => `${one.duration_ms} ms`, isNumber: true },
];

/** One delivery with each attempt, and a button that sends it again. */
export function DeliveryPage({ deliveryId }: { deliveryId: string }) {
  const delivery = useDelivery(deliveryId);
  const redeliver = useRedeliver();
  const [said, setSaid] = useState('');
  return (
    <Page title={delivery.data?.event_type ?? 'Delivery'} lead={<code>{deliveryId}</code>} actions={<Link href="/operator/webhooks/deliveries">All deliveries</Link>}>
      <WebhooksNav />
      <Done>{said}</Done>
      <Problem error={redeliver.error} />
      <Read query={delivery} loading="Loading the delivery">
        {(one) => (
          <>
            <section className="card" aria-labelledby="state">
              <div className="card-head">
                <h2 id="state">State</h2>
                <span role="status"><Badge {...deliverySaid(one.state)} /></span>
              </div>
              <Facts
                facts={[
                  ['Endpoint', <Link key="to" href={webhookAt(one.endpoint_id)}>{one.endpoint_id}</Link>],
                  ['About', one.subscription_id === null ? null : <Link key="sub" href={subscriptionAt(one.subscription_id)}>{one.subscription_id}</Link>],
                  ['Replay', one.replay_id === null ? null : <Link key="replay" href={replayAt(one.endpoint_id, one.replay_id)}>{one.replay_id}</Link>],
                  ['webhook-id', <code key="id">{one.webhook_id}</code>],
                  ['Made', dayAndTime(one.created_at)],
                  ['Next try', one.next_attempt_at === null ? null : dayAndTime(one.next_attempt_at)],
                  ['Concluded', one.concluded_at === null ? null : dayAndTime(one.concluded_at)],
                ]}
              />
              <p className="actions">
                <AskFirst
                  text="Send again …"
                  title={`Send ${one.event_type} again?`}
                  action="Send again"
                  run={async () => {
                    setSaid('');
                    await redeliver.mutateAsync(deliveryId);
                    setSaid('It is sent again; this page shows what comes of it.');
                  }}
                >
                  <p>At once, with the same id and body; its tries are counted anew.</p>
                </AskFirst>
              </p>
            </section>
            <section className="section" aria-labelledby="attempts">
              <h2 id="attempts">Attempts</h2>
              {one.attempts.length === 0 ? <p className="soft">It was not tried yet.</p> : <Table caption="Attempts" columns={COLUMNS} rows={one.attempts} keyOf={(at) => at.at} />}
            </section>
          </>
        )}
      </Read>
    </Page>
  );
}
