import { Link } from 'wouter';

export interface Tile {
  readonly name: string;
  readonly value: string;
  readonly note: string | null;
  readonly to: string | null;
}

/** Numbers beside each other, each with its name and what it means. */
export function Tiles({ tiles }: { tiles: readonly Tile[] }) {
  return (
    <dl className="tiles">
      {tiles.map(({ name, value, note, to }) => (
        <div key={name}>
          <dt>{to === null ? name : <Link href={to}>{name}</Link>}</dt>
          <dd className="value">{value}</dd>
          {note === null ? null : <dd className="note">{note}</dd>}
        </div>
      ))}
    </dl>
  );
}
