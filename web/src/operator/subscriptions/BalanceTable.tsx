import { Badge } from '../../parts/Badge';
import { Empty } from '../../parts/Empty';
import { type Column, Table } from '../../parts/Table';
import { microsFrom, readable } from '../../rules/quantities';
import { dimensionTitle } from '../../rules/words';
import { useBalanceTold } from '../api/subscriptions';
import type { BalanceTold } from '../api/told';
import { Read } from '../parts/Read';
import { reasonSaid } from '../rules/words';

const quantity = (text: string) => (text === '0' ? '–' : readable(microsFrom(text)));
const column = (title: string, of: (one: BalanceTold) => string): Column<BalanceTold> => ({ title, cell: (one) => quantity(of(one)), isNumber: true });

const COLUMNS: readonly Column<BalanceTold>[] = [
  { title: 'Dimension', cell: (one) => dimensionTitle(one.dimension) },
  column('Accepted', (one) => one.accepted),
  column('Open', (one) => one.open),
  column('Planned', (one) => one.planned),
  column('Billed', (one) => one.billed),
  column('Included', (one) => one.included),
  column('Held', (one) => one.held),
  column('Conflicting', (one) => one.conflicting),
  column('Written off', (one) => one.written_off),
  { title: 'Books', cell: (one) => <Badge tone={one.balanced ? 'good' : 'bad'}>{one.balanced ? 'Balanced' : 'Not balanced'}</Badge> },
];

/** Where every accepted unit of a subscription is now, and whether the books balance. */
export function BalanceTable({ subscriptionId }: { subscriptionId: string }) {
  const balance = useBalanceTold(subscriptionId);
  return (
    <Read query={balance} loading="Loading the balance">
      {(rows) =>
        rows.length === 0 ? (
          <Empty title="No usage was accepted yet." />
        ) : (
          <div className="balance">
            <Table caption="BalanceTold by dimension" columns={COLUMNS} rows={rows} keyOf={(one) => one.dimension} />
            <Reasons rows={rows} />
          </div>
        )
      }
    </Read>
  );
}

/** Why something is held or written off, where anything is. */
function Reasons({ rows }: { rows: readonly BalanceTold[] }) {
  const said = rows.flatMap((row) =>
    row.reasons.map(({ kind, reason, quantity: of }) => `${kind === 'held' ? 'Held' : 'Written off'}: ${readable(microsFrom(of))} ${dimensionTitle(row.dimension)}. ${reasonSaid(reason)}.`),
  );
  if (said.length === 0) return null;
  return <ul className="reasons">{said.map((one) => <li key={one}>{one}</li>)}</ul>;
}
