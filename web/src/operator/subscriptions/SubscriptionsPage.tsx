import { type SyntheticEvent, useState } from 'react';
import { useLocation } from 'wouter';
import type { Subscription } from '../../api/subscriptions';
import { Badge } from '../../parts/Badge';
import { Choice } from '../../parts/Choice';
import { Empty } from '../../parts/Empty';
import { Field } from '../../parts/Field';
import { Page } from '../../parts/Page';
import { type Column, Table } from '../../parts/Table';
import { dayAndTime } from '../../rules/moments';
import { accessWords, statusWords } from '../../rules/words';
import { subscriptionAt } from '../addresses';
import { type SubscriptionFilters, useSubscriptionSearch } from '../api/subscriptions';
import { IdLink } from '../parts/IdLink';
import { SparseList } from '../parts/SparseList';
import { filled, isSubscriptionId } from '../rules/filters';

const STATUSES = [
  { value: '', text: 'Any' },
  { value: 'pending', text: 'Pending' },
  { value: 'active', text: 'Active' },
  { value: 'ending', text: 'Ending' },
  { value: 'ended', text: 'Ended' },
  { value: 'failed', text: 'Failed' },
] as const;

const BY = [
  { value: 'agreement_id', text: 'Agreement' },
  { value: 'customer_aws_account_id', text: 'AWS account' },
  { value: 'product_code', text: 'Product code' },
  { value: 'subscription_id', text: 'Subscription' },
] as const;

const COLUMNS: readonly Column<Subscription>[] = [
  { title: 'Subscription', cell: (one) => <><IdLink id={one.subscription_id} to={subscriptionAt(one.subscription_id)} /><small><code>{one.product_code}</code></small></> },
  { title: 'Status', cell: (one) => <Badge {...statusWords(one.status)} /> },
  { title: 'Access', cell: (one) => <Badge {...accessWords(one.access)} /> },
  { title: 'AWS account', cell: (one) => one.customer_aws_account_id ?? '–' },
  { title: 'Agreement or customer', cell: (one) => <code>{one.agreement_id ?? one.customer_identifier ?? '–'}</code> },
  { title: 'Changed', cell: (one) => dayAndTime(one.changed_at) },
];

/** Finds subscriptions by what AWS calls them. */
export function SubscriptionsPage() {
  const [by, setBy] = useState<(typeof BY)[number]['value']>('agreement_id');
  const [text, setText] = useState('');
  const [status, setStatus] = useState<(typeof STATUSES)[number]['value']>('');
  const [filters, setFilters] = useState<SubscriptionFilters>({});
  const [, go] = useLocation();
  const subscriptions = useSubscriptionSearch(filters);

  const search = (event: SyntheticEvent) => {
    event.preventDefault();
    const id = text.trim();
    if (by === 'subscription_id' && id !== '') go(subscriptionAt(id));
    else setFilters({ ...filled({ [by]: text }), ...(status === '' ? {} : { status }) });
  };

  const isWrongId = by === 'subscription_id' && text.trim() !== '' && !isSubscriptionId(text.trim());
  return (
    <Page title="Subscriptions" lead="What AWS Marketplace sold, as all its news so far amounts to.">
      <form role="search" className="search" onSubmit={search}>
        <Choice label="Search by" value={by} options={BY} onChoose={setBy} />
        <Field label="Exactly" value={text} error={isWrongId ? 'It has sub_ and 26 letters or digits.' : undefined} onChange={(event) => setText(event.target.value)} />
        <Choice label="Status" value={status} options={STATUSES} onChoose={setStatus} />
        <button type="submit" className="button" disabled={isWrongId}>Search</button>
      </form>
      <SparseList list={subscriptions} loading="Looking for subscriptions" empty={<Empty title="No subscription fits." />}>
        {(items) => <Table caption="Subscriptions" columns={COLUMNS} rows={items} keyOf={(one) => one.subscription_id} />}
      </SparseList>
    </Page>
  );
}
