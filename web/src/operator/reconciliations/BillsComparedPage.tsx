import { Link } from 'wouter';
import { Badge } from '../../parts/Badge';
import { Empty } from '../../parts/Empty';
import { Facts } from '../../parts/Facts';
import { ListOf } from '../../parts/ListOf';
import { Page } from '../../parts/Page';
import { type Column, Table } from '../../parts/Table';
import { day, dayAndTime } from '../../rules/moments';
import { microsFrom, readable } from '../../rules/quantities';
import { recordAt } from '../addresses';
import { type BillDifference, useBillDifferences, useBillsCompared } from '../api/billsCompared';
import { Tiles } from '../metering/Tiles';
import { ReconciliationsNav } from '../parts/areas';
import { Read } from '../parts/Read';
import { differenceSaid } from '../rules/words';
import { SOURCES } from './BillsPage';

type Side = BillDifference['ours'];

const SETTLED = { billed: 'Settled: billed', bill_again: 'Settled: bill again' } as const;

const COLUMNS: readonly Column<BillDifference>[] = [
  { title: 'Difference', cell: (one) => <>{differenceSaid(one.kind)}<small>{one.sentence}</small></> },
  { title: 'When', cell: (one) => (one.hour === null ? (one.day === null ? (one.place ?? '–') : day(one.day)) : dayAndTime(one.hour)) },
  { title: 'Ours', cell: (one) => <OneSide side={one.ours} /> },
  { title: 'AWS’s', cell: (one) => <OneSide side={one.theirs} /> },
  { title: 'Done', cell: (one) => (one.settled === null ? 'Named only' : <Badge tone="good">{SETTLED[one.settled]}</Badge>) },
  { title: 'Record', cell: (one) => (one.metering_record_id === null ? '–' : <Link href={recordAt(one.metering_record_id)}>Open<span className="for-readers"> {one.metering_record_id}</span></Link>) },
];

function OneSide({ side }: { side: Side }) {
  if (side === null) return <>Nothing</>;
  return <>{side.quantity === null ? '' : `${readable(microsFrom(side.quantity))}, `}{side.says}{side.region === null ? null : <small>{side.region}</small>}</>;
}

/** A comparison with a file of AWS's: its numbers, and all that differed. */
export function BillsComparedPage({ id }: { id: string }) {
  const comparison = useBillsCompared(id);
  const differences = useBillDifferences(id);
  return (
    <Page title="Bills compared" lead={<code>{id}</code>} actions={<Link href="/operator/reconciliations/bills">All comparisons</Link>}>
      <ReconciliationsNav />
      <Read query={comparison} loading="Loading the comparison">
        {({ counts, ...one }) => (
          <>
            {one.finished_at === null ? <div className="box warn" role="status"><p className="box-title">It was not finished</p><p>What it had settled stands, and the file may be sent again.</p></div> : null}
            <Tiles
              tiles={[
                { name: 'Compared', value: String(counts.compared), note: `${counts.read} read, ${counts.passed_over} passed over`, to: null },
                { name: 'Agreed', value: String(counts.agreed), note: 'Nothing differs', to: null },
                { name: 'Differences', value: String(counts.differences), note: null, to: null },
                { name: 'Settled as billed', value: String(counts.settled_as_billed), note: null, to: null },
                { name: 'To bill again', value: String(counts.settled_to_bill_again), note: null, to: null },
              ]}
            />
            <section className="card" aria-label="About this comparison">
              <Facts
              facts={[
                ['File', SOURCES[one.source]],
                ['Sent', `${dayAndTime(one.at)}, by ${one.by}`],
                ['Complete', one.complete_from === null || one.complete_until === null ? null : `From ${dayAndTime(one.complete_from)} until ${dayAndTime(one.complete_until)}`],
                ['Finished', one.finished_at === null ? null : dayAndTime(one.finished_at)],
              ]}
            />
            </section>
          </>
        )}
      </Read>
      <section className="section" aria-labelledby="differences">
        <h2 id="differences">Differences</h2>
        <ListOf list={differences} loading="Loading differences" empty={<Empty title="Nothing differs." />}>
          {(items) => <Table caption="Differences" columns={COLUMNS} rows={items} keyOf={(one) => [one.kind, one.metering_record_id, one.subscription_id, one.dimension, one.hour, one.day, one.place, one.sentence, one.theirs?.event_id].join(' ')} />}
        </ListOf>
      </section>
    </Page>
  );
}
