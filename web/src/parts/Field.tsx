import { type InputHTMLAttributes, useId } from 'react';

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  hint?: string;
  /** What is wrong with it. */
  error?: string | undefined;
  /** Whether it says so where it may be left empty; a search needs no such word. */
  saysOptional?: boolean;
}

/** One entry of a form, with its label, a hint and what is wrong with it. */
export function Field({ label, hint, error, required, saysOptional = true, ...input }: FieldProps) {
  const id = useId();
  const described = [hint === undefined ? '' : `${id}-hint`, error === undefined ? '' : `${id}-error`].join(' ').trim();
  return (
    <div className="field">
      <label htmlFor={id}>
        {label}
        {required || !saysOptional ? null : <span> (optional)</span>}
      </label>
      <input
        id={id}
        required={required}
        aria-invalid={error !== undefined}
        aria-describedby={described === '' ? undefined : described}
        {...input}
      />
      {hint === undefined ? null : <p className="hint" id={`${id}-hint`}>{hint}</p>}
      {error === undefined ? null : <p className="error" id={`${id}-error`}>{error}</p>}
    </div>
  );
}
