import { useState } from 'react';
import { dayAndTime } from '../../rules/moments';
import type { DeadLetter } from '../api/deadLetters';
import { Body } from '../parts/Body';
import { LongField } from '../parts/LongField';

interface LetterProps {
  letter: DeadLetter;
  isChosen: boolean;
  /** The other body that was entered, if any. */
  body: string | null;
  onChoose: (isOn: boolean) => void;
  onMend: (body: string) => void;
}

/** One dead letter: why it is here, what it says, and a place to mend it. */
export function Letter({ letter, isChosen, body, onChoose, onMend }: LetterProps) {
  const [isMending, setMending] = useState(false);
  return (
    <section className="card letter" aria-label={`Letter ${letter.dead_letter_id}`}>
      <div className="card-head">
        <label className="check">
          <input type="checkbox" checked={isChosen} onChange={(event) => onChoose(event.target.checked)} />
          {letter.reason ?? 'It could be read and failed all the same; the log says how.'}
        </label>
        <span className="soft">{letter.sent_at === null ? '' : dayAndTime(letter.sent_at)}, {letter.door === 'https' ? 'by HTTPS' : 'from the queue'}</span>
      </div>
      {isMending ? (
        <LongField label="Body to send instead" className="letters" rows={8} maxLength={300_000} spellCheck={false} value={body ?? letter.body} onChange={(event) => onMend(event.target.value)} />
      ) : (
        <Body label={`Body of ${letter.dead_letter_id}`} text={letter.body} />
      )}
      <p className="actions">
        {letter.encoding === 'text' ? (
          <button type="button" className="button quiet small" onClick={() => setMending(!isMending)}>{isMending ? 'Show as it is' : 'Mend'}<span className="for-readers"> {letter.dead_letter_id}</span></button>
        ) : (
          <span className="soft">It holds bytes that are no text, shown as base64; it cannot be mended here.</span>
        )}
        {body !== null && body !== letter.body ? <span className="soft">It goes with another body.</span> : null}
      </p>
    </section>
  );
}
