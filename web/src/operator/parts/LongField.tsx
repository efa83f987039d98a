import { type TextareaHTMLAttributes, useId } from 'react';

interface LongFieldProps extends TextareaHTMLAttributes<HTMLTextAreaElement> {
  label: string;
  hint?: string;
  error?: string | undefined;
}

/** An entry of several lines. */
export function LongField({ label, hint, error, ...area }: LongFieldProps) {
  const id = useId();
  const described = [hint === undefined ? '' : `${id}-hint`, error === undefined ? '' : `${id}-error`].join(' ').trim();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <textarea id={id} rows={3} aria-invalid={error !== undefined} aria-describedby={described === '' ? undefined : described} {...area} />
      {hint === undefined ? null : <p className="hint" id={`${id}-hint`}>{hint}</p>}
      {error === undefined ? null : <p className="error" id={`${id}-error`}>{error}</p>}
    </div>
  );
}
