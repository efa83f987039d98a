import { Link } from 'wouter';
import { Badge } from '../../parts/Badge';
import { Facts } from '../../parts/Facts';
import { Page } from '../../parts/Page';
import { dayAndTime } from '../../rules/moments';
import { webhookAt } from '../addresses';
import { useReplay } from '../api/webhooks';
import { WebhooksNav } from '../parts/areas';
import { Read } from '../parts/Read';
import { counted } from '../rules/counts';

const STATES = {
  running: { tone: 'warn', children: 'Running' },
  done: { tone: 'good', children: 'Done' },
  stopped: { tone: 'bad', children: 'Stopped' },
} as const;

/** A replay, followed while it runs. */
export function ReplayPage({ endpointId, replayId }: { endpointId: string; replayId: string }) {
  const replay = useReplay(endpointId, replayId);
  return (
    <Page title="Replay" lead={<code>{replayId}</code>} actions={<Link href={webhookAt(endpointId)}>The endpoint</Link>}>
      <WebhooksNav />
      <Read query={replay} loading="Loading the replay">
        {(one) => (
          <section className="card" aria-labelledby="progress">
            <div className="card-head">
              <h2 id="progress">How far it has come</h2>
              <Badge {...STATES[one.state]} />
            </div>
            <p role="status">
              {counted(one.deliveries, 'delivery', 'deliveries')} made, for all events before {dayAndTime(one.done_until)}.
              {one.state === 'stopped' ? ' Its endpoint was disabled or deleted meanwhile.' : ''}
            </p>
            <Facts
              facts={[
                ['Range', `${dayAndTime(one.from)} to ${dayAndTime(one.to)}`],
                ['Types', one.event_types === null ? 'What the endpoint wants to be told' : one.event_types.join(', ')],
                ['Begun', dayAndTime(one.created_at)],
                ['Finished', one.finished_at === null ? null : dayAndTime(one.finished_at)],
              ]}
            />
            <p className="actions"><Link href={`/operator/webhooks/deliveries/all/${endpointId}`}>What became of its deliveries</Link></p>
          </section>
        )}
      </Read>
    </Page>
  );
}
