import { type SyntheticEvent, useState } from 'react';
import { useLocation } from 'wouter';
import { Field } from '../../parts/Field';
import { Page } from '../../parts/Page';
import { dayAndTime } from '../../rules/moments';
import { runAt } from '../addresses';
import { useForesight, useStartRun } from '../api/runs';
import { MeteringNav } from '../parts/areas';
import { AskFirst } from '../parts/AskFirst';
import { Problem } from '../parts/Problem';
import { Read } from '../parts/Read';
import { Work } from '../parts/Work';
import { counted } from '../rules/counts';
import { isSubscriptionId } from '../rules/filters';
import { ForesightView } from './ForesightView';

/** What the next cycle would tell AWS and why not the rest; and a button that tells AWS now. */
export function RunsPage() {
  const [, go] = useLocation();
  const [text, setText] = useState('');
  const [subscriptionId, setSubscriptionId] = useState<string | null>(null);
  const foresight = useForesight(subscriptionId);
  const start = useStartRun();
  const entered = text.trim();
  const isWrong = entered !== '' && !isSubscriptionId(entered);
  const whose = subscriptionId === null ? 'all subscriptions' : 'this subscription';

  const look = (event: SyntheticEvent) => {
    event.preventDefault();
    const next = entered === '' ? null : entered;
    if (next === subscriptionId) void foresight.refetch();
    else setSubscriptionId(next);
  };
  return (
    <Page
      title="Runs"
      lead="A dry run writes and sends nothing: it says what AWS would be told now, and what becomes of all other usage."
      actions={
        <AskFirst
          kind="plain"
          text="Run now …"
          title={`Tell AWS now, for ${whose}?`}
          action="Run now"
          run={async () => {
            const run = await start.mutateAsync(subscriptionId);
            go(runAt(run.metering_run_id));
          }}
        >
          <p>
            A worker goes through the metering cycle at its next beat.
            {foresight.data === undefined ? null : ` By the dry run below, ${counted(foresight.data.records.length, 'record')} would be frozen and sent, and ${foresight.data.due.length} sent again${foresight.data.more ? ', or more' : ''}.`}
          </p>
          <p>What AWS counts is on the buyers’ bills and cannot be taken back. The rules are those of every cycle.</p>
        </AskFirst>
      }
    >
      <MeteringNav />
      <Problem error={start.error} />
      <form role="search" className="search" onSubmit={look}>
        <Field label="Subscription" value={text} error={isWrong ? 'It has sub_ and 26 letters or digits.' : undefined} onChange={(event) => setText(event.target.value)} />
        <Work quiet busy={foresight.isFetching} saying="Running dry …">Dry run</Work>
      </form>
      <Read query={foresight} loading="Running dry">
        {(data) => (
          <>
            <p className="soft" role="status">For {whose}, as of {dayAndTime(data.as_of)}.{data.more ? ' There is more than is named here; ask for one subscription.' : ''}</p>
            <ForesightView foresight={data} />
          </>
        )}
      </Read>
    </Page>
  );
}
