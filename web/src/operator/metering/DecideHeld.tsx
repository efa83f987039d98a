import { type SyntheticEvent, useState } from 'react';
import { Choice } from '../../parts/Choice';
import { Confirm } from '../../parts/Confirm';
import { Field } from '../../parts/Field';
import { fieldErrors } from '../../rules/fieldErrors';
import { dayAndTime } from '../../rules/moments';
import { microsFrom, readable } from '../../rules/quantities';
import { dimensionTitle } from '../../rules/words';
import { type HeldUsage, useDecideHeld } from '../api/heldUsage';
import { Done } from '../parts/Done';
import { Problem } from '../parts/Problem';
import { ReasonField } from '../parts/ReasonField';
import { counted } from '../rules/counts';
import { reasonFrom } from '../rules/decisions';
import { isSubscriptionId } from '../rules/filters';
import { type Extent, heldWish } from '../rules/heldWish';
import { shortId } from '../rules/shortId';
import { reasonSaid } from '../rules/words';

const DECISIONS = [
  { value: 'give', text: 'Give it to a subscription' },
  { value: 'write_off', text: 'Write it off' },
] as const;

/** The form by which a person decides about held usage. It is asked once more before it is written. */
export function DecideHeld({ held, onClose }: { held: HeldUsage; onClose: () => void }) {
  const deciding = useDecideHeld();
  const [decision, setDecision] = useState<(typeof DECISIONS)[number]['value']>('give');
  const [extent, setExtent] = useState<Extent>('hour');
  const [to, setTo] = useState('');
  const [entered, setEntered] = useState('');
  const [isAsking, setAsking] = useState(false);
  const reason = reasonFrom(entered);
  const errors = fieldErrors(deciding.error);
  const target = to.trim();
  const isWrongTarget = decision === 'give' && target !== '' && !isSubscriptionId(target);

  const ask = (event: SyntheticEvent) => {
    event.preventDefault();
    if (reason !== null && !isWrongTarget) setAsking(true);
  };
  const decide = () => {
    if (reason === null) return;
    deciding.mutate(heldWish(held, extent, decision === 'give' ? target : null, reason), { onSettled: () => setAsking(false) });
  };
  const done = deciding.data;
  return (
    <section className="card" aria-labelledby="decide-held">
      <div className="card-head">
        <h2 id="decide-held">{readable(microsFrom(held.quantity))} {dimensionTitle(held.dimension)} of {dayAndTime(held.hour)}</h2>
        <button type="button" className="button quiet small" onClick={onClose}>Close</button>
      </div>
      <p className="soft">Held for {shortId(held.subscription_id ?? held.customer_id ?? 'nobody')}: {reasonSaid(held.reason)}.</p>
      <Done>{done === undefined ? null : saidOf(done.decided.length, done.left.length, done.more)}</Done>
      {done === undefined || done.left.length === 0 ? null : (
        <ul>{done.left.map((one) => <li key={`${one.dimension} ${one.hour}`}>{dimensionTitle(one.dimension)}, {dayAndTime(one.hour)}: {reasonSaid(one.reason)}</li>)}</ul>
      )}
      <form className="form" onSubmit={ask}>
        <Choice label="Decision" value={decision} options={DECISIONS} onChoose={setDecision} />
        {decision === 'give' ? (
          <Field
            label="To the subscription"
            hint="One of the customer’s that was active in the hour of use."
            required
            value={to}
            error={isWrongTarget ? 'It has sub_ and 26 letters or digits.' : errors.to_subscription_id}
            onChange={(event) => setTo(event.target.value)}
          />
        ) : null}
        <Choice
          label="How much of it"
          value={extent}
          options={[
            { value: 'hour', text: 'This hour and dimension' },
            { value: 'dimension', text: `All held hours of ${held.dimension}` },
            { value: 'all', text: 'All that is held for this holder' },
          ]}
          onChoose={setExtent}
        />
        <ReasonField value={entered} onChange={setEntered} />
        <Problem error={deciding.error} />
        <p className="actions"><button type="submit" className="button">Decide …</button></p>
      </form>
      {isAsking ? (
        <Confirm
          title={decision === 'give' ? 'Give this usage away?' : 'Write this usage off?'}
          action={decision === 'give' ? 'Give it' : 'Write it off'}
          busy={deciding.isPending}
          onConfirm={decide}
          onCancel={() => setAsking(false)}
        >
          <p>{decision === 'give' ? <>It is billed to <code>{target}</code> by the rules of every cycle.</> : 'It is never billed.'}</p>
          <p>{extent === 'hour' ? 'This is about one hour of one dimension.' : extent === 'dimension' ? 'This is about all hours of this dimension that are held at this moment.' : 'This is about all that is held for this holder at this moment.'}</p>
          <p className="soft">Reason: {reason}</p>
        </Confirm>
      ) : null}
    </section>
  );
}

function saidOf(decided: number, left: number, isMore: boolean): string {
  const rest = left === 0 ? '' : ` ${counted(left, 'hour')} could not be decided; why, stands below.`;
  return `${counted(decided, 'hour')} decided.${rest}${isMore ? ' There are more: decide once more.' : ''}`;
}
