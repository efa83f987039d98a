import { Link } from 'wouter';
import { Badge } from '../../parts/Badge';
import { type Column, Table } from '../../parts/Table';
import { dayAndTime } from '../../rules/moments';
import { microsFrom, readable } from '../../rules/quantities';
import { dimensionTitle } from '../../rules/words';
import type { RecordTold } from '../api/told';
import { recordAt, subscriptionAt } from '../addresses';
import { IdLink } from '../parts/IdLink';
import { decisionSaid, isToDecide } from '../rules/decisions';
import { reasonSaid, recordSaid } from '../rules/words';

const COLUMNS: readonly Column<RecordTold>[] = [
  { title: 'Hour', cell: (one) => <><Link href={recordAt(one.metering_record_id)}>{dayAndTime(one.hour)}</Link><small>{dimensionTitle(one.dimension)}</small></> },
  { title: 'Quantity', cell: (one) => readable(microsFrom(one.quantity)), isNumber: true },
  { title: 'Outcome', cell: (one) => <><Badge {...recordSaid(one.outcome)} />{one.reason === null ? null : <small>{reasonSaid(one.reason)}</small>}</> },
  { title: 'Decision', cell: (one) => (one.resolution === null ? (isToDecide(one) ? 'Waits for you' : '–') : <>{decisionSaid(one.resolution.decision).text}<small>by {one.resolution.by}</small></>) },
  { title: 'Sent', cell: (one) => (one.attempts === 1 ? 'once' : `${one.attempts} times`) },
  { title: 'Subscription', cell: (one) => <IdLink id={one.subscription_id} to={subscriptionAt(one.subscription_id)} /> },
];

/** Metering records, each with its page. */
export function RecordsTable({ records }: { records: readonly RecordTold[] }) {
  return <Table caption="Metering records" columns={COLUMNS} rows={records} keyOf={(one) => one.metering_record_id} />;
}
