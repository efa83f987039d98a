/** A text to the letter, such as a message of AWS. JSON is shown laid out; what it says is the same. */
export function Body({ label, text }: { label: string; text: string }) {
  return (
    // A long text scrolls in itself, so the keyboard has to reach it.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <pre className="body-text" tabIndex={0} aria-label={label}>{laidOut(text)}</pre>
  );
}

function laidOut(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
