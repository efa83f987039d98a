import type { UseQueryResult } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { Badge } from '../../parts/Badge';
import { Empty } from '../../parts/Empty';
import { Loading } from '../../parts/Loading';
import { Trouble } from '../../parts/Trouble';
import { day, dayAndTime } from '../../rules/moments';
import { useNewsOf } from '../api/news';
import { useRecords } from '../api/records';
import { type Owner, useDaysOfUsage, useWholeHistory } from '../api/subscriptions';
import { Checks } from '../parts/Checks';
import { type Happening, type Kind, KINDS, timeline, underDays } from '../rules/timeline';

const STEP = 30; // days shown at once

interface TimelineProps {
  subscriptionId: string;
  owner: UseQueryResult<Owner | null>;
}

/** All that happened to a subscription, from three services, in one order. A source that fails leaves the others standing. */
export function Timeline({ subscriptionId, owner }: TimelineProps) {
  const [kinds, setKinds] = useState<ReadonlySet<Kind>>(new Set(KINDS.map((one) => one.value)));
  const [shown, setShown] = useState(STEP);
  const history = useWholeHistory(subscriptionId);
  const news = useNewsOf(subscriptionId);
  const usage = useDaysOfUsage(subscriptionId);
  const records = useRecords(null, subscriptionId);
  const sources = [history, news, usage, owner];
  const isLoading = sources.some((one) => one.isPending) || records.items === undefined;
  const claim = owner.data?.claim ?? null;

  const life = timeline({
    history: history.data ?? [],
    news: news.data ?? [],
    claims: claim === null || owner.data == null ? [] : [{ claimed_at: claim.claimed_at, who: owner.data.customer.name ?? owner.data.customer.email }],
    days: usage.data ?? [],
    bills: records.items ?? [],
  }).filter((one) => kinds.has(one.kind));
  const days = underDays(life);

  return (
    <div className="card timeline">
      <Checks legend="Show" options={KINDS} chosen={kinds} onChange={setKinds} />
      {sources.map((one, index) => (one.error === null ? null : <Trouble key={index} error={one.error} retry={() => void one.refetch()} />))}
      {records.error === null ? null : <Trouble error={records.error} retry={records.retry} />}
      {isLoading && records.error === null && sources.every((one) => one.error === null) ? <Loading what="Reading its life" /> : null}
      {!isLoading && days.length === 0 ? <Empty title="Nothing of this kind has happened." /> : null}
      {records.hasMore && kinds.has('bill') ? (
        <p className="actions">
          <button type="button" className="button quiet" aria-disabled={records.isFetching} onClick={records.isFetching ? undefined : records.more}>
            {records.isFetching ? 'Reading …' : 'Read more metering records'}
          </button>
          <span className="soft" role="status">{records.items?.length ?? 0} are read; there are more, by dimension and hour.</span>
        </p>
      ) : null}
      {days.slice(0, shown).map(({ day: date, happenings }) => (
        <section key={date} aria-label={day(date)}>
          <h3>{day(date)}</h3>
          <ol className="history">
            {happenings.map((one) => <Told key={one.key} happening={one} />)}
          </ol>
        </section>
      ))}
      {days.length > shown ? (
        <p className="actions">
          <button type="button" className="button quiet" onClick={() => setShown(shown + STEP)}>Show {Math.min(STEP, days.length - shown)} more days</button>
        </p>
      ) : null}
      <p role="status" className="for-readers">{isLoading ? '' : `${life.length} entries on ${days.length} days.`}</p>
    </div>
  );
}

function Told({ happening: one }: { happening: Happening }) {
  return (
    <li className={one.kind}>
      <p className="when">{one.isDay ? 'All day' : dayAndTime(one.at).split(', ')[1]}</p>
      <p className="happened">
        <span>{one.title}</span>
        {one.badge === null ? null : <Badge {...one.badge} />}
        {one.to === null ? null : <Link href={one.to.address}>{one.to.text}<span className="for-readers"> {one.title}</span></Link>}
      </p>
      {one.lines.map((line) => <p key={line} className="line">{line}</p>)}
    </li>
  );
}
