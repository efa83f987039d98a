import { useState } from 'react';
import { Badge } from '../../parts/Badge';
import { type Column, Table } from '../../parts/Table';
import { dayAndTime } from '../../rules/moments';
import { customerAt, subscriptionAt } from '../addresses';
import { type OutboxItem, useRetryOutbox } from '../api/outbox';
import { Done } from '../parts/Done';
import { IdLink } from '../parts/IdLink';
import { Problem } from '../parts/Problem';
import { Work } from '../parts/Work';
import { outboxSaid } from '../rules/words';

/** What is still to be done elsewhere, each with a button to try it now. */
export function OutboxTable({ items }: { items: readonly OutboxItem[] }) {
  const retry = useRetryOutbox();
  const [said, setSaid] = useState('');
  const again = (item: OutboxItem) => {
    setSaid('');
    retry.mutate(item.outbox_id, { onSuccess: () => setSaid(`${outboxSaid(item.kind)} is due; the worker tries it within seconds.`) });
  };
  const columns: readonly Column<OutboxItem>[] = [
    {
      title: 'What',
      cell: (one) => <>{outboxSaid(one.kind)}<small>{one.last_error ?? (one.attempts === 0 ? 'Not tried yet' : 'No error was kept')}</small></>,
    },
    { title: 'State', cell: (one) => <Badge tone={one.state === 'stuck' ? 'bad' : 'plain'}>{one.state === 'stuck' ? 'Stuck' : 'Waiting'}</Badge> },
    { title: 'Tries', cell: (one) => one.attempts, isNumber: true },
    { title: 'Since', cell: (one) => dayAndTime(one.created_at) },
    { title: 'Next try', cell: (one) => dayAndTime(one.due_at) },
    { title: 'Of', cell: (one) => (one.customer_id === null ? <IdLink id={one.subscription_id} to={subscriptionAt(one.subscription_id)} /> : <IdLink id={one.customer_id} to={customerAt(one.customer_id)} />) },
    {
      title: 'Action',
      cell: (one) => (
        <Work small quiet busy={retry.isPending && retry.variables === one.outbox_id} saying="Asking …" onDo={() => again(one)}>
          Try now<span className="for-readers"> {outboxSaid(one.kind)}</span>
        </Work>
      ),
    },
  ];
  return (
    <>
      <Done>{said}</Done>
      <Problem error={retry.error} />
      <Table caption="Outbox items" columns={columns} rows={items} keyOf={(one) => one.outbox_id} />
    </>
  );
}
