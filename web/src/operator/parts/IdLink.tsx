import { Link } from 'wouter';
import { shortId } from '../rules/shortId';

/** An id that leads to its page, short enough for a table. */
export function IdLink({ id, to }: { id: string; to: string }) {
  const short = shortId(id);
  return (
    <Link href={to} title={id} className="id">
      <code aria-hidden={short !== id}>{short}</code>
      {short === id ? null : <span className="for-readers">{id}</span>}
    </Link>
  );
}
