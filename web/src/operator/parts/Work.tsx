import type { ReactNode } from 'react';

interface WorkProps {
  busy: boolean;
  /** What the button says while it is under way, such as `Sending …`. */
  saying: string;
  /** What it does; without it the button submits its form. */
  onDo?: () => void;
  quiet?: boolean;
  small?: boolean;
  children: ReactNode;
}

/** A button that begins something, cannot be pressed while that is under way, and says so. */
export function Work({ busy, saying, onDo, quiet = false, small = false, children }: WorkProps) {
  return (
    <button
      type={onDo === undefined ? 'submit' : 'button'}
      className={['button', quiet ? 'quiet' : '', small ? 'small' : ''].filter(Boolean).join(' ')}
      disabled={busy}
      onClick={onDo}
    >
      {busy ? saying : children}
    </button>
  );
}
