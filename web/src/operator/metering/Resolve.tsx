import { type SyntheticEvent, useState } from 'react';
import { Choice } from '../../parts/Choice';
import { Confirm } from '../../parts/Confirm';
import { microsFrom, readable } from '../../rules/quantities';
import { dimensionTitle } from '../../rules/words';
import { useResolve } from '../api/records';
import type { RecordTold } from '../api/told';
import { Problem } from '../parts/Problem';
import { ReasonField } from '../parts/ReasonField';
import { type Decision, decisionSaid, DECISIONS, reasonFrom } from '../rules/decisions';

/**
 * The form by which a person decides about a record. The decision stands, so it is asked once more.
 *
 * @param onDecided is told what was done: this form goes away with it.
 */
export function Resolve({ record, onDecided }: { record: RecordTold; onDecided: (said: string) => void }) {
  const resolution = useResolve(record.metering_record_id);
  const [decision, setDecision] = useState<Decision>('bill_again');
  const [entered, setEntered] = useState('');
  const [isAsking, setAsking] = useState(false);
  const reason = reasonFrom(entered);
  const { text, meaning } = decisionSaid(decision);

  const ask = (event: SyntheticEvent) => {
    event.preventDefault();
    if (reason !== null) setAsking(true);
  };
  const decide = async () => {
    if (reason === null) return;
    try {
      await resolution.mutateAsync({ decision, reason });
      onDecided(`Decided: ${text.toLowerCase()}. ${meaning}`);
    } catch {
      // What went wrong stands in the form.
    }
    setAsking(false);
  };
  return (
    <section className="card" aria-labelledby="resolve">
      <h2 id="resolve">Decide</h2>
      <form className="form" onSubmit={ask}>
        <Choice label="Decision" value={decision} options={DECISIONS} hint={meaning} onChoose={setDecision} />
        <ReasonField value={entered} onChange={setEntered} />
        <Problem error={resolution.error} />
        <p className="actions"><button type="submit" className="button">Decide …</button></p>
      </form>
      {isAsking && reason !== null ? (
        <Confirm
          title={`${text}: ${readable(microsFrom(record.quantity))} ${dimensionTitle(record.dimension)}?`}
          action={text}
          busy={resolution.isPending}
          onConfirm={() => void decide()}
          onCancel={() => setAsking(false)}
        >
          <p>{meaning}</p>
          <p>A decision stands: another one is refused later.</p>
          <p className="soft">Reason: {reason}</p>
        </Confirm>
      ) : null}
    </section>
  );
}
