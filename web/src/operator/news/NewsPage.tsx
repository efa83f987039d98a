import { type SyntheticEvent, useState } from 'react';
import { Link } from 'wouter';
import { Badge } from '../../parts/Badge';
import { Choice } from '../../parts/Choice';
import { Empty } from '../../parts/Empty';
import { Field } from '../../parts/Field';
import { Page } from '../../parts/Page';
import { type Column, Table } from '../../parts/Table';
import { dayAndTime } from '../../rules/moments';
import { newsAt, subscriptionAt } from '../addresses';
import { type NewsFilters, type Notification, useNews } from '../api/news';
import { NewsNav } from '../parts/areas';
import { IdLink } from '../parts/IdLink';
import { SparseList } from '../parts/SparseList';
import { isSubscriptionId, newsFilters, type NewsSearch } from '../rules/filters';
import { newsSaid } from '../rules/words';

const OUTCOMES = [
  { value: '', text: 'Any' },
  { value: 'applied', text: 'Applied' },
  { value: 'no_change', text: 'No change' },
  { value: 'waiting', text: 'Waiting' },
  { value: 'ignored', text: 'Ignored' },
  { value: 'unknown_product', text: 'Unknown product' },
  { value: 'other_generation', text: 'Other generation' },
] as const;

const COLUMNS: readonly Column<Notification>[] = [
  { title: 'News', cell: (one) => <><Link href={newsAt(one.notification_id)}>{one.name}</Link><small>{one.subject}</small></> },
  { title: 'What became of it', cell: (one) => <Badge {...newsSaid(one.outcome)} /> },
  { title: 'Happened', cell: (one) => dayAndTime(one.event_time) },
  { title: 'Received', cell: (one) => <>{dayAndTime(one.received_at)}<small>{one.source === 'eventbridge' ? 'EventBridge' : 'SNS'}, {{ queue: 'queue', https: 'HTTPS', reconciliation: 'reconciliation' }[one.door]}</small></> },
  { title: 'Subscription', cell: (one) => (one.subscription_id === null ? '–' : <IdLink id={one.subscription_id} to={subscriptionAt(one.subscription_id)} />) },
];

const NOTHING: NewsSearch = { outcome: '', name: '', subject: '', subscription_id: '', received_after: '', received_before: '' };

/** AWS's messages, the newest first. */
export function NewsPage() {
  const [entered, setEntered] = useState<NewsSearch>(NOTHING);
  const [filters, setFilters] = useState<NewsFilters>({});
  const news = useNews(filters);
  const set = (key: keyof NewsSearch) => (event: { target: { value: string } }) => setEntered({ ...entered, [key]: event.target.value });
  const id = entered.subscription_id.trim();
  const isWrong = id !== '' && !isSubscriptionId(id);

  const search = (event: SyntheticEvent) => {
    event.preventDefault();
    setFilters(newsFilters(entered) as NewsFilters);
  };
  return (
    <Page title="News" lead="AWS’s messages, the newest first by when they came, and what became of each.">
      <NewsNav />
      <form role="search" className="search" onSubmit={search}>
        <Choice label="What became of it" value={entered.outcome as (typeof OUTCOMES)[number]['value']} options={OUTCOMES} onChoose={(outcome) => setEntered({ ...entered, outcome })} />
        <Field label="Name, exactly" value={entered.name} onChange={set('name')} />
        <Field label="Agreement or customer" value={entered.subject} onChange={set('subject')} />
        <Field label="Subscription" value={entered.subscription_id} error={isWrong ? 'It has sub_ and 26 letters or digits.' : undefined} onChange={set('subscription_id')} />
        <Field label="Received from, UTC" type="datetime-local" value={entered.received_after} onChange={set('received_after')} />
        <Field label="Received before, UTC" type="datetime-local" value={entered.received_before} onChange={set('received_before')} />
        <button type="submit" className="button" disabled={isWrong}>Search</button>
      </form>
      <SparseList list={news} loading="Looking for news" empty={<Empty title="No message fits." />}>
        {(items) => <Table caption="Messages" columns={COLUMNS} rows={items} keyOf={(one) => one.notification_id} />}
      </SparseList>
    </Page>
  );
}
