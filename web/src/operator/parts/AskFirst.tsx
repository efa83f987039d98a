import { type ReactNode, useState } from 'react';
import { Confirm } from '../../parts/Confirm';

interface AskFirstProps {
  /** What the button says. */
  text: ReactNode;
  /** The question. */
  title: string;
  /** What the button that does it says. */
  action: string;
  /** Does it; whoever draws this shows what came of it. */
  run: () => Promise<unknown>;
  kind?: 'danger' | 'quiet' | 'plain';
  small?: boolean;
  disabled?: boolean;
  /** What will happen. */
  children: ReactNode;
}

/** A button whose deed moves money, deletes, or is seen outside: it asks before. */
export function AskFirst({ text, title, action, run, kind = 'quiet', small = false, disabled = false, children }: AskFirstProps) {
  const [isAsking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const close = () => {
    setBusy(false);
    setAsking(false);
  };
  return (
    <>
      <button
        type="button"
        className={['button', kind === 'plain' ? '' : kind, small ? 'small' : ''].filter(Boolean).join(' ')}
        disabled={disabled}
        onClick={() => setAsking(true)}
      >
        {text}
      </button>
      {isAsking ? (
        <Confirm
          title={title}
          action={action}
          busy={busy}
          onConfirm={() => {
            setBusy(true);
            run().then(close, close);
          }}
          onCancel={() => setAsking(false)}
        >
          {children}
        </Confirm>
      ) : null}
    </>
  );
}
