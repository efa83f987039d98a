export type Tone = 'good' | 'plain' | 'warn' | 'bad';

/** A state in a word; its colour only underlines it. */
export function Badge({ tone, children }: { tone: Tone; children: string }) {
  return <span className={`badge ${tone}`}>{children}</span>;
}
