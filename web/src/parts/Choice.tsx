import { useId } from 'react';

interface ChoiceProps<Value extends string> {
  label: string;
  value: Value;
  options: readonly { readonly value: Value; readonly text: string }[];
  onChoose: (value: Value) => void;
  error?: string | undefined;
  hint?: string;
}

/** One of several, from a list. */
export function Choice<Value extends string>({ label, value, options, onChoose, error, hint }: ChoiceProps<Value>) {
  const id = useId();
  const described = [hint === undefined ? '' : `${id}-hint`, error === undefined ? '' : `${id}-error`].join(' ').trim();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        value={value}
        aria-invalid={error !== undefined}
        aria-describedby={described === '' ? undefined : described}
        onChange={(event) => onChoose(event.target.value as Value)}
      >
        {options.map((option) => <option key={option.value} value={option.value}>{option.text}</option>)}
      </select>
      {hint === undefined ? null : <p className="hint" id={`${id}-hint`}>{hint}</p>}
      {error === undefined ? null : <p className="error" id={`${id}-error`}>{error}</p>}
    </div>
  );
}
