import { type SyntheticEvent, useState } from 'react';
import { useLocation } from 'wouter';
import { Choice } from '../../parts/Choice';
import { Empty } from '../../parts/Empty';
import { Field } from '../../parts/Field';
import { Page } from '../../parts/Page';
import { recordsAt } from '../addresses';
import { type Outcome, useOpenRecords, useRecords } from '../api/records';
import { MeteringNav } from '../parts/areas';
import { Read } from '../parts/Read';
import { SparseList } from '../parts/SparseList';
import { isToDecide, OPEN_OUTCOMES } from '../rules/decisions';
import { isSubscriptionId } from '../rules/filters';
import { RecordsTable } from './RecordsTable';

const SHOWN = [
  { value: 'to-decide', text: 'To decide' },
  { value: 'all', text: 'All' },
  { value: 'planned', text: 'Planned' },
  { value: 'billed', text: 'Billed' },
  { value: 'duplicate_conflict', text: 'Conflict' },
  { value: 'not_subscribed', text: 'Not subscribed' },
  { value: 'rejected', text: 'Rejected' },
  { value: 'expired', text: 'Expired' },
  { value: 'unknown', text: 'Unknown' },
] as const;
type Shown = (typeof SHOWN)[number]['value'];

/** Metering records by outcome, of all subscriptions or of one. */
export function RecordsPage({ outcome, subscriptionId }: { outcome: string | undefined; subscriptionId: string | undefined }) {
  const [, go] = useLocation();
  const shown = SHOWN.find((one) => one.value === outcome)?.value ?? 'to-decide';
  const [text, setText] = useState(subscriptionId ?? '');
  const isWrong = text.trim() !== '' && !isSubscriptionId(text.trim());
  const entered = isWrong || text.trim() === '' ? undefined : text.trim();
  // What is to be decided is looked for among all subscriptions.
  const show = (value: Shown) => go(recordsAt(value, value === 'to-decide' ? undefined : entered));
  const search = (event: SyntheticEvent) => {
    event.preventDefault();
    show(shown === 'to-decide' && entered !== undefined ? 'all' : shown);
  };
  return (
    <Page title="Metering records" lead="What AWS was told, by the hour, and what it answered. A record that AWS’s answer leaves open waits for a person.">
      <MeteringNav />
      <form role="search" className="search" onSubmit={search}>
        <Choice label="Show" value={shown} options={SHOWN} onChoose={show} />
        <Field label="Subscription" value={text} error={isWrong ? 'It has sub_ and 26 letters or digits.' : undefined} onChange={(event) => setText(event.target.value)} />
        <button type="submit" className="button" disabled={isWrong}>Show</button>
      </form>
      {shown === 'to-decide' ? <ToDecide /> : <ByOutcome outcome={shown === 'all' ? null : shown} subscriptionId={subscriptionId ?? null} />}
    </Page>
  );
}

function ByOutcome({ outcome, subscriptionId }: { outcome: Outcome | null; subscriptionId: string | null }) {
  const records = useRecords(outcome, subscriptionId);
  return (
    <SparseList list={records} loading="Loading metering records" empty={<Empty title="There is no such record." />}>
      {(items) => <RecordsTable records={items} />}
    </SparseList>
  );
}

function ToDecide() {
  const open = useOpenRecords();
  return (
    <Read query={open} loading="Looking for records to decide">
      {(byOutcome) => {
        const records = OPEN_OUTCOMES.flatMap((outcome) => byOutcome[outcome].items.filter(isToDecide));
        const isAll = OPEN_OUTCOMES.every((outcome) => byOutcome[outcome].isAll);
        return (
          <>
            {records.length === 0 ? <Empty title={isAll ? 'No record waits for a decision.' : 'None of those that were read waits for a decision.'} /> : <RecordsTable records={records} />}
            {isAll ? null : <p className="soft">There are more records than were read here; show one outcome to see all of it.</p>}
          </>
        );
      }}
    </Read>
  );
}
