import { Link } from 'wouter';
import { Badge } from '../../parts/Badge';
import { Facts } from '../../parts/Facts';
import { Page } from '../../parts/Page';
import { dayAndTime } from '../../rules/moments';
import { recordsAt, subscriptionAt } from '../addresses';
import { type Run, useRun } from '../api/runs';
import { MeteringNav } from '../parts/areas';
import { Read } from '../parts/Read';
import { counted } from '../rules/counts';
import { recordSaid, runSaid } from '../rules/words';
import { Tiles } from './Tiles';

/** A run that was asked for, followed until it is finished. */
export function RunPage({ runId }: { runId: string }) {
  const run = useRun(runId);
  return (
    <Page title="Metering run" lead={<code>{runId}</code>} actions={<Link href="/operator/metering/runs">Dry run</Link>}>
      <MeteringNav />
      <Read query={run} loading="Loading the run">
        {(one) => (
          <>
            <p className="badges" role="status"><Badge {...runSaid(one.state)} /></p>
            {one.state === 'finished' ? <Outcome run={one} /> : <p>This page asks every two seconds until it is finished. A worker takes it up at its next beat.</p>}
            <section className="card" aria-labelledby="asked">
              <h2 id="asked">When and by whom</h2>
              <Facts
                facts={[
                  ['For', one.subscription_id === null ? 'All subscriptions' : <Link key="sub" href={subscriptionAt(one.subscription_id)}>{one.subscription_id}</Link>],
                  ['Asked for', <>{dayAndTime(one.requested_at)}<small>by {one.requested_by}</small></>],
                  ['Started', one.started_at === null ? null : dayAndTime(one.started_at)],
                  ['Finished', one.finished_at === null ? null : dayAndTime(one.finished_at)],
                ]}
              />
            </section>
          </>
        )}
      </Read>
    </Page>
  );
}

function Outcome({ run }: { run: Run }) {
  return (
    <>
      {run.failures.length === 0 ? null : <Sentences tone="bad" title="What failed; the rest was done" sentences={run.failures} />}
      {run.left.length === 0 ? null : <Sentences tone="warn" title="What is left although nothing failed" sentences={run.left} />}
      <section className="section" aria-labelledby="settled">
        <h2 id="settled">Records that it settled</h2>
        {run.outcomes.length === 0 ? (
          <p className="soft">None was to be settled.</p>
        ) : (
          <Tiles tiles={run.outcomes.map(({ outcome, records }) => ({ name: recordSaid(outcome).children, value: String(records), note: null, to: recordsAt(outcome, run.subscription_id ?? undefined) }))} />
        )}
        {run.due === null ? null : <p className="soft">{run.due === 0 ? 'AWS has answered for all records.' : `AWS had not answered for ${counted(run.due, 'record')}; every cycle sends them.`}</p>}
      </section>
    </>
  );
}

function Sentences({ tone, title, sentences }: { tone: 'bad' | 'warn'; title: string; sentences: readonly string[] }) {
  return (
    <div className={`box ${tone}`}>
      <p className="box-title">{title}</p>
      <ul>{sentences.map((one) => <li key={one}>{one}</li>)}</ul>
    </div>
  );
}
