import { Badge } from '../../parts/Badge';
import { Empty } from '../../parts/Empty';
import { type Column, Table } from '../../parts/Table';
import { dayAndTime } from '../../rules/moments';
import { microsFrom, readable } from '../../rules/quantities';
import { dimensionTitle } from '../../rules/words';
import { customerAt, subscriptionAt } from '../addresses';
import type { Foresight } from '../api/runs';
import { IdLink } from '../parts/IdLink';
import { isSubscriptionId } from '../rules/filters';
import { fateSaid, reasonSaid } from '../rules/words';
import { RecordsTable } from './RecordsTable';

type Planned = Foresight['records'][number];
type Fate = Foresight['rest'][number];

const RECORD_COLUMNS: readonly Column<Planned>[] = [
  { title: 'Hour', cell: (one) => <>{dayAndTime(one.hour)}<small>{dimensionTitle(one.dimension)}</small></> },
  { title: 'Quantity', cell: (one) => readable(microsFrom(one.quantity)), isNumber: true },
  { title: 'From', cell: (one) => (one.sources.length === 1 && one.sources[0]?.hour === one.hour ? 'its own hour' : one.sources.map((from) => dayAndTime(from.hour)).join('; ')) },
  { title: 'Subscription', cell: (one) => <IdLink id={one.subscription_id} to={subscriptionAt(one.subscription_id)} /> },
];

const REST_COLUMNS: readonly Column<Fate>[] = [
  { title: 'Hour of use', cell: (one) => <>{dayAndTime(one.hour)}<small>{dimensionTitle(one.dimension)}</small></> },
  { title: 'Quantity', cell: (one) => readable(microsFrom(one.quantity)), isNumber: true },
  { title: 'Becomes', cell: (one) => <Badge {...fateSaid(one.becomes)} /> },
  { title: 'Why', cell: (one) => (isSubscriptionId(one.reason) ? <>to <IdLink id={one.reason} to={subscriptionAt(one.reason)} /></> : reasonSaid(one.reason)) },
  {
    title: 'Of',
    cell: (one) =>
      one.subscription_id !== null ? <IdLink id={one.subscription_id} to={subscriptionAt(one.subscription_id)} /> : one.customer_id !== null ? <IdLink id={one.customer_id} to={customerAt(one.customer_id)} /> : '–',
  },
];

/** A dry run: what would be sent, what is being sent, and why not the rest. */
export function ForesightView({ foresight }: { foresight: Foresight }) {
  return (
    <>
      <section className="section" aria-labelledby="would">
        <h2 id="would">Would be frozen and sent: {foresight.records.length}</h2>
        {foresight.records.length === 0 ? <Empty title="No sealed hour waits to be sent." /> : <Table caption="Records that would be sent" columns={RECORD_COLUMNS} rows={foresight.records} keyOf={(one) => `${one.subscription_id} ${one.dimension} ${one.hour}`} />}
      </section>
      <section className="section" aria-labelledby="due">
        <h2 id="due">Frozen, without an answer yet: {foresight.due.length}</h2>
        {foresight.due.length === 0 ? <Empty title="AWS has answered for all of them." /> : <RecordsTable records={foresight.due} />}
      </section>
      <section className="section" aria-labelledby="rest">
        <h2 id="rest">All other usage that is not billed: {foresight.rest.length}</h2>
        {foresight.rest.length === 0 ? <Empty title="There is none." /> : <Table caption="What becomes of the rest" columns={REST_COLUMNS} rows={foresight.rest} keyOf={(one) => [one.subscription_id, one.customer_id, one.product_code, one.dimension, one.hour, one.becomes, one.reason].join(' ')} />}
      </section>
    </>
  );
}
