import { type SyntheticEvent, useState } from 'react';
import { useLocation } from 'wouter';
import { Confirm } from '../../parts/Confirm';
import { Field } from '../../parts/Field';
import { fieldErrors } from '../../rules/fieldErrors';
import { dayAndTime } from '../../rules/moments';
import { replayAt } from '../addresses';
import { useStartReplay, type WebhookEndpoint, type WebhookReplayWish } from '../api/webhooks';
import { Problem } from '../parts/Problem';
import { instantFrom } from '../rules/instants';
import { type EventType, typesWished } from '../rules/webhookWishes';
import { TypeChecks } from './TypeChecks';

/** The form that sends a range of time to an endpoint once more. */
export function StartReplay({ endpoint }: { endpoint: WebhookEndpoint }) {
  const [, go] = useLocation();
  const start = useStartReplay(endpoint.endpoint_id);
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const [types, setTypes] = useState<ReadonlySet<EventType>>(new Set());
  const [asked, setAsked] = useState<WebhookReplayWish | null>(null);
  const errors = fieldErrors(start.error);

  const ask = (event: SyntheticEvent) => {
    event.preventDefault();
    const [begin, end] = [instantFrom(from), instantFrom(to)];
    if (begin === null || end === null) return;
    const wished = typesWished(types);
    setAsked({ from: begin, to: end, ...(wished === null ? {} : { event_types: wished }) });
  };
  return (
    <section className="section card" aria-labelledby="replay">
      <h2 id="replay">Replay</h2>
      <p>Sends every event of a range of time once more, also those that it took, with the same id and body.</p>
      <form className="form wide" onSubmit={ask}>
        <div className="search">
          <Field label="From, UTC" type="datetime-local" required value={from} error={errors.from} onChange={(event) => setFrom(event.target.value)} />
          <Field label="To, UTC" type="datetime-local" required value={to} error={errors.to} onChange={(event) => setTo(event.target.value)} />
        </div>
        <TypeChecks hint="Where none is chosen: what the endpoint wants to be told." chosen={types} onChange={setTypes} />
        <Problem error={start.error} />
        <p className="actions"><button type="submit" className="button quiet" disabled={!endpoint.enabled}>Replay …</button>{endpoint.enabled ? null : <span className="soft">It is disabled; enable it first.</span>}</p>
      </form>
      {asked === null ? null : (
        <Confirm
          title="Send this range of time once more?"
          action="Replay"
          busy={start.isPending}
          onConfirm={() => start.mutate(asked, { onSuccess: (replay) => go(replayAt(endpoint.endpoint_id, replay.replay_id)), onError: () => setAsked(null) })}
          onCancel={() => setAsked(null)}
        >
          <p>From {dayAndTime(asked.from)} to {dayAndTime(asked.to)}. The system behind it has to take each id once.</p>
        </Confirm>
      )}
    </section>
  );
}
