interface ChecksProps<Value extends string> {
  legend: string;
  options: readonly { readonly value: Value; readonly text: string }[];
  chosen: ReadonlySet<Value>;
  onChange: (chosen: ReadonlySet<Value>) => void;
  hint?: string;
}

/** Several of several. */
export function Checks<Value extends string>({ legend, options, chosen, onChange, hint }: ChecksProps<Value>) {
  const toggle = (value: Value, isOn: boolean) => {
    const next = new Set(chosen);
    if (isOn) next.add(value);
    else next.delete(value);
    onChange(next);
  };
  return (
    <fieldset className="checks">
      <legend>{legend}</legend>
      {hint === undefined ? null : <p className="hint">{hint}</p>}
      <div>
        {options.map(({ value, text }) => (
          <label key={value}>
            <input type="checkbox" checked={chosen.has(value)} onChange={(event) => toggle(value, event.target.checked)} />
            {text}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
