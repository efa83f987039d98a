import { useLocation } from 'wouter';
import { Choice } from '../../parts/Choice';
import { Empty } from '../../parts/Empty';
import { Page } from '../../parts/Page';
import { type OutboxState, useOutbox } from '../api/outbox';
import { CustomersNav } from '../parts/areas';
import { SparseList } from '../parts/SparseList';
import { OutboxTable } from './OutboxTable';

const STATES = [
  { value: 'all', text: 'All' },
  { value: 'waiting', text: 'Waiting' },
  { value: 'stuck', text: 'Stuck for three days or longer' },
] as const;

/** What registering set going elsewhere and is not done yet. */
export function OutboxPage({ state }: { state: string | undefined }) {
  const [, go] = useLocation();
  const chosen = STATES.find((one) => one.value === state)?.value ?? 'all';
  const outbox = useOutbox(chosen === 'all' ? null : (chosen satisfies OutboxState));
  return (
    <Page title="Outbox" lead="Letters to buyers, hand-overs to your back end and Quick Launch parameters that are not done yet. An item that succeeds is removed.">
      <CustomersNav />
      <div className="chooser">
        <Choice label="Show" value={chosen} options={STATES} onChoose={(value) => go(value === 'all' ? '/operator/outbox' : `/operator/outbox/${value}`)} />
      </div>
      <SparseList list={outbox} loading="Loading the outbox" empty={<Empty title="Nothing waits." />}>
        {(items) => <OutboxTable items={items} />}
      </SparseList>
    </Page>
  );
}
