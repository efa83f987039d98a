import { type ReactNode, useEffect, useId, useRef } from 'react';

interface ConfirmProps {
  title: string;
  /** What the button that does it says, such as `Delete endpoint`. */
  action: string;
  /** Whether it is being done. */
  busy: boolean;
  onConfirm: () => void;
  onCancel: () => void;
  /** What will happen. */
  children: ReactNode;
}

/** Asks before something that cannot be undone. Escape and "Cancel" leave everything as it is. */
export function Confirm({ title, action, busy, onConfirm, onCancel, children }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();

  useEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);

  return (
    <dialog
      ref={dialog}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        if (!busy) onCancel();
      }}
    >
      <h2 id={heading}>{title}</h2>
      {children}
      <p className="actions">
        <button type="button" className="button danger" aria-disabled={busy} onClick={busy ? undefined : onConfirm}>
          {busy ? 'One moment …' : action}
        </button>
        <button type="button" className="button quiet" disabled={busy} onClick={onCancel}>Cancel</button>
      </p>
    </dialog>
  );
}
