import { Link } from 'wouter';
import type { Alarm } from '../rules/alarms';

/**
 * What needs a person.
 *
 * @param isWhole whether all that could raise an alarm has answered: only then is silence good news.
 */
export function AlarmList({ alarms, isWhole }: { alarms: readonly Alarm[]; isWhole: boolean }) {
  if (alarms.length === 0) return <div role="status">{isWhole ? <p className="box good">Nothing needs you: all services answered, and nothing waits for a person. Balances are checked below, when you ask for it.</p> : null}</div>;
  return (
    <ul className="alarms" aria-live="polite">
      {alarms.map(({ key, tone, title, detail, to }) => (
        <li key={key} className={`box ${tone}`}>
          <div>
            <p className="box-title">{title}</p>
            <p>{detail}</p>
          </div>
          {to === null ? null : <Link href={to}>Look into it<span className="for-readers"> {title}</span></Link>}
        </li>
      ))}
    </ul>
  );
}
