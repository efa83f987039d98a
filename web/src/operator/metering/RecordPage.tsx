import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { Badge } from '../../parts/Badge';
import { Empty } from '../../parts/Empty';
import { Facts } from '../../parts/Facts';
import { ListOf } from '../../parts/ListOf';
import { Page } from '../../parts/Page';
import { type Column, Table } from '../../parts/Table';
import { dayAndTime } from '../../rules/moments';
import { microsFrom, readable } from '../../rules/quantities';
import { dimensionTitle } from '../../rules/words';
import { recordsAt, subscriptionAt } from '../addresses';
import { type LoggedEvent, useRecord, useRecordEvents } from '../api/records';
import type { ExplainedTold, RecordTold } from '../api/told';
import { MeteringNav } from '../parts/areas';
import { Done } from '../parts/Done';
import { Read } from '../parts/Read';
import { decisionSaid, isToDecide } from '../rules/decisions';
import { shortId } from '../rules/shortId';
import { reasonSaid, recordMeaning, recordSaid } from '../rules/words';
import { Resolve } from './Resolve';

const quantity = (text: string) => readable(microsFrom(text));
const tagsSaid = (tags: Readonly<Record<string, string>>) => Object.entries(tags).map(([key, value]) => `${key}: ${value}`).join(', ') || 'untagged';

const EVENT_COLUMNS: readonly Column<LoggedEvent>[] = [
  { title: 'Event', cell: (one) => <>{one.source}<small><code>{one.id}</code></small></> },
  { title: 'Used', cell: (one) => dayAndTime(one.time) },
  { title: 'Accepted', cell: (one) => dayAndTime(one.accepted_at) },
  { title: 'Quantity', cell: (one) => quantity(one.quantity), isNumber: true },
  { title: 'Counts', cell: (one) => <Badge tone={{ counted: 'good', repeated: 'plain', conflicting: 'warn' }[one.counts] as 'good' | 'plain' | 'warn'}>{{ counted: 'Counted', repeated: 'Repeated', conflicting: 'Conflicting' }[one.counts]}</Badge> },
  { title: 'Tags', cell: (one) => tagsSaid(one.tags) },
  { title: 'Segment of the log', cell: (one) => <code title={one.segment_id}>{shortId(one.segment_id)}</code> },
];

/** One record explained: what was frozen, from what, what AWS said each time, and what a person decides. */
export function RecordPage({ recordId }: { recordId: string }) {
  const record = useRecord(recordId);
  const [said, setSaid] = useState('');
  const one = record.data?.metering_record;
  return (
    <Page
      title={one === undefined ? 'Metering record' : `${quantity(one.quantity)} ${dimensionTitle(one.dimension)}`}
      lead={<code>{recordId}</code>}
      actions={<Link href={recordsAt('to-decide')}>All records</Link>}
    >
      <MeteringNav />
      <Done>{said}</Done>
      <Read query={record} loading="Loading the record">
        {(explained) => (
          <>
            <p className="badges">
              <Badge {...recordSaid(explained.metering_record.outcome)} />
              {explained.metering_record.resolution === null ? null : <Badge tone="plain">{`Decided: ${decisionSaid(explained.metering_record.resolution.decision).text.toLowerCase()}`}</Badge>}
            </p>
            <p>{recordMeaning(explained.metering_record.outcome)}</p>
            {isToDecide(explained.metering_record) ? <Resolve record={explained.metering_record} onDecided={setSaid} /> : null}
            <Resolved record={explained.metering_record} />
            <div className="two">
              <Frozen record={explained.metering_record} />
              <Sends explained={explained} />
              <Sources record={explained.metering_record} />
              <Allocations explained={explained} />
            </div>
            <Events recordId={recordId} />
          </>
        )}
      </Read>
    </Page>
  );
}

function Card({ id, title, children }: { id: string; title: string; children: ReactNode }) {
  return (
    <section className="card" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
    </section>
  );
}

function Resolved({ record }: { record: RecordTold }) {
  if (record.resolution === null) return null;
  const { decision, reason, by, at } = record.resolution;
  return (
    <Card id="decided" title="What was decided">
      <Facts facts={[['Decision', <>{decisionSaid(decision).text}<small>{decisionSaid(decision).meaning}</small></>], ['Reason', reason], ['By', by], ['At', dayAndTime(at)]]} />
    </Card>
  );
}

function Frozen({ record: one }: { record: RecordTold }) {
  return (
    <Card id="frozen" title="What was frozen">
      <Facts
        facts={[
          ['Quantity', <>{quantity(one.quantity)} <code>{one.dimension}</code></>],
          ['Hour', dayAndTime(one.hour)],
          ['Timestamp sent', dayAndTime(one.timestamp)],
          ['Product code', <code key="product">{one.product_code}</code>],
          ['Subscription', <Link key="sub" href={subscriptionAt(one.subscription_id)}>{shortId(one.subscription_id)}</Link>],
          ['Frozen', dayAndTime(one.created_at)],
          ['Settled', one.settled_at === null ? 'Not yet' : dayAndTime(one.settled_at)],
          ['Reason', one.reason === null ? null : reasonSaid(one.reason)],
          ['AWS’s record id', one.aws_metering_record_id === null ? null : <code key="aws">{one.aws_metering_record_id}</code>],
        ]}
      />
    </Card>
  );
}

function Sends({ explained: { sends, metering_record: record } }: { explained: ExplainedTold }) {
  return (
    <Card id="sends" title="Every sending, and AWS’s answer">
      {sends.length === 0 ? (
        <p className="soft">It was never sent.</p>
      ) : (
        <Table
          compact
          caption="Sendings"
          columns={[
            { title: 'No.', cell: (one: ExplainedTold['sends'][number]) => one.number },
            { title: 'At', cell: (one) => dayAndTime(one.at) },
            { title: 'Answer', cell: (one) => one.answer ?? 'No answer came' },
          ]}
          rows={sends}
          keyOf={(one) => String(one.number)}
        />
      )}
      {record.attempts > sends.length ? <p className="soft">It was sent {record.attempts} times; the first {sends.length} are kept.</p> : null}
    </Card>
  );
}

function Sources({ record }: { record: RecordTold }) {
  return (
    <Card id="sources" title="From which hours of use">
      <Table
        compact
        caption="Hours of use"
        columns={[
          { title: 'Hour of use', cell: (one: RecordTold['sources'][number]) => dayAndTime(one.hour) },
          { title: 'Quantity', cell: (one) => quantity(one.quantity), isNumber: true },
        ]}
        rows={record.sources}
        keyOf={(one) => one.hour}
      />
    </Card>
  );
}

function Allocations({ explained: { allocations, tags_left_out: isLeftOut } }: { explained: ExplainedTold }) {
  return (
    <Card id="tags" title="By tags, as AWS is told">
      {allocations.length === 0 ? (
        <p className="soft">Nothing is tagged.</p>
      ) : (
        <Table
          compact
          caption="Allocations by tags"
          columns={[
            { title: 'Tags', cell: (one: ExplainedTold['allocations'][number]) => tagsSaid(one.tags) },
            { title: 'Quantity', cell: (one) => quantity(one.quantity), isNumber: true },
          ]}
          rows={allocations}
          keyOf={(one) => JSON.stringify(one.tags)}
        />
      )}
      {isLeftOut ? <p className="soft">More tags were used than a record can carry; what has them goes untagged.</p> : null}
    </Card>
  );
}

function Events({ recordId }: { recordId: string }) {
  const events = useRecordEvents(recordId);
  return (
    <section className="section" aria-labelledby="events">
      <h2 id="events">The events that it comes from</h2>
      <ListOf list={events} loading="Reading the usage log" empty={<Empty title="The log has no event of these hours." />}>
        {(items) => <Table caption="Usage events" columns={EVENT_COLUMNS} rows={items} keyOf={(one) => `${one.segment_id} ${one.source} ${one.id}`} />}
      </ListOf>
    </section>
  );
}
