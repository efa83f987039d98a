import { useState } from 'react';
import { Link } from 'wouter';
import { Badge } from '../../parts/Badge';
import { Facts } from '../../parts/Facts';
import { Page } from '../../parts/Page';
import { dayAndTime } from '../../rules/moments';
import { subscriptionAt } from '../addresses';
import { useMessage, useReplayMessage } from '../api/news';
import { NewsNav } from '../parts/areas';
import { AskFirst } from '../parts/AskFirst';
import { Body } from '../parts/Body';
import { Done } from '../parts/Done';
import { Problem } from '../parts/Problem';
import { Read } from '../parts/Read';
import { newsMeaning, newsSaid } from '../rules/words';

const SOURCES = { sns: 'SNS, in an envelope', sns_raw: 'SNS, raw delivery', eventbridge: 'EventBridge' } as const;
const DOORS = { queue: 'From the queue', https: 'By HTTPS', reconciliation: 'AWS said it when it was asked; the message was lost' } as const;

/** One message of AWS, whole, and a button that takes it once more. */
export function MessagePage({ notificationId }: { notificationId: string }) {
  const message = useMessage(notificationId);
  const replay = useReplayMessage(notificationId);
  const [said, setSaid] = useState('');
  return (
    <Page title={message.data?.name ?? 'Message'} lead={<code>{notificationId}</code>} actions={<Link href="/operator/news">All messages</Link>}>
      <NewsNav />
      <Done>{said}</Done>
      <Problem error={replay.error} />
      <Read query={message} loading="Loading the message">
        {(one) => (
          <>
            <section className="card" aria-labelledby="became">
              <div className="card-head">
                <h2 id="became">What became of it</h2>
                <Badge {...newsSaid(one.outcome)} />
              </div>
              <p>{newsMeaning(one.outcome)}</p>
              <Facts
                facts={[
                  ['Happened', dayAndTime(one.event_time)],
                  ['Received', dayAndTime(one.received_at)],
                  ['Came by', <>{SOURCES[one.source]}<small>{DOORS[one.door]}</small></>],
                  ['About', one.subject === null ? null : <code>{one.subject}</code>],
                  ['Subscription', one.subscription_id === null ? 'Not known when it came' : <Link key="sub" href={subscriptionAt(one.subscription_id)}>{one.subscription_id}</Link>],
                ]}
              />
              <p className="actions">
                <AskFirst
                  text="Replay …"
                  title="Take this message once more?"
                  action="Replay"
                  run={async () => {
                    setSaid('');
                    const now = await replay.mutateAsync();
                    setSaid(`It was taken once more: ${newsSaid(now.outcome).children.toLowerCase()}. ${newsMeaning(now.outcome)}`);
                  }}
                >
                  <p>By the same steps as when it came. One that counts already changes nothing. One that was ignored, of an unknown product or of the other generation becomes what it is now.</p>
                  <p>If it gives or ends access, that happens at once.</p>
                </AskFirst>
              </p>
            </section>
            <section className="section" aria-labelledby="body">
              <h2 id="body">The message</h2>
              <Body label="The message" text={one.body} />
            </section>
          </>
        )}
      </Read>
    </Page>
  );
}
