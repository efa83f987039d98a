import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import { Badge } from '../../parts/Badge';
import { Choice } from '../../parts/Choice';
import { Empty } from '../../parts/Empty';
import { Page } from '../../parts/Page';
import { type Column, Table } from '../../parts/Table';
import { dayAndTime } from '../../rules/moments';
import { deliveryAt, subscriptionAt, webhookAt } from '../addresses';
import { type Delivery, type DeliveryState, useDeliveries, useRedeliver } from '../api/deliveries';
import { WebhooksNav } from '../parts/areas';
import { AskFirst } from '../parts/AskFirst';
import { Done } from '../parts/Done';
import { IdLink } from '../parts/IdLink';
import { Problem } from '../parts/Problem';
import { SparseList } from '../parts/SparseList';
import { deliverySaid } from '../rules/words';

const STATES = [
  { value: 'all', text: 'All' },
  { value: 'pending', text: 'Pending' },
  { value: 'delivered', text: 'Delivered' },
  { value: 'dead', text: 'Given up' },
] as const;

/** What was sent to webhook endpoints, the newest first. */
export function DeliveriesPage({ state, endpointId }: { state: string | undefined; endpointId: string | undefined }) {
  const [, go] = useLocation();
  const chosen = STATES.find((one) => one.value === state)?.value ?? 'all';
  const deliveries = useDeliveries({
    ...(chosen === 'all' ? {} : { state: chosen satisfies DeliveryState }),
    ...(endpointId === undefined ? {} : { endpoint_id: endpointId }),
  });
  const redeliver = useRedeliver();
  const [said, setSaid] = useState('');
  const again = async (one: Delivery) => {
    setSaid('');
    await redeliver.mutateAsync(one.delivery_id);
    setSaid(`${one.event_type} is sent again.`);
  };
  const columns: readonly Column<Delivery>[] = [
    { title: 'Event', cell: (one) => <><Link href={deliveryAt(one.delivery_id)}>{one.event_type}</Link><small>{dayAndTime(one.created_at)}{one.replay_id === null ? '' : ', by a replay'}</small></> },
    { title: 'State', cell: (one) => <Badge {...deliverySaid(one.state)} /> },
    { title: 'Tries', cell: (one) => one.tries, isNumber: true },
    { title: 'Next try', cell: (one) => (one.next_attempt_at === null ? '–' : dayAndTime(one.next_attempt_at)) },
    { title: 'Subscription', cell: (one) => (one.subscription_id === null ? '–' : <IdLink id={one.subscription_id} to={subscriptionAt(one.subscription_id)} />) },
    { title: 'Endpoint', cell: (one) => <IdLink id={one.endpoint_id} to={webhookAt(one.endpoint_id)} /> },
    {
      title: 'Action',
      cell: (one) => (
        <AskFirst small text={<>Send again<span className="for-readers"> {one.event_type}</span></>} title={`Send ${one.event_type} again?`} action="Send again" run={() => again(one)}>
          <p>At once, with the same id and body; its tries are counted anew.</p>
        </AskFirst>
      ),
    },
  ];
  return (
    <Page title="Deliveries" lead="What your systems were told, the newest first, and whether they took it.">
      <WebhooksNav />
      <div className="chooser">
        <Choice label="Show" value={chosen} options={STATES} onChoose={(value) => go(`/operator/webhooks/deliveries/${value}${endpointId === undefined ? '' : `/${endpointId}`}`)} />
      </div>
      {endpointId === undefined ? null : <p>To <IdLink id={endpointId} to={webhookAt(endpointId)} /> only. <Link href={`/operator/webhooks/deliveries/${chosen}`}>To all</Link></p>}
      <Done>{said}</Done>
      <Problem error={redeliver.error} />
      <SparseList list={deliveries} loading="Loading deliveries" empty={<Empty title="There is no such delivery." />}>
        {(items) => <Table caption="Deliveries" columns={columns} rows={items} keyOf={(one) => one.delivery_id} />}
      </SparseList>
    </Page>
  );
}
