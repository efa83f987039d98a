import { Checks } from '../parts/Checks';
import { EVENT_TYPES, type EventType } from '../rules/webhookWishes';

const OPTIONS = EVENT_TYPES.map((value) => ({ value, text: value }));

/** Which types of events are meant. */
export function TypeChecks({ hint, chosen, onChange }: { hint: string; chosen: ReadonlySet<EventType>; onChange: (chosen: ReadonlySet<EventType>) => void }) {
  return (
    <details>
      <summary>Types of events: {chosen.size === 0 ? 'all' : chosen.size}</summary>
      <Checks legend="Types" options={OPTIONS} chosen={chosen} onChange={onChange} hint={hint} />
    </details>
  );
}
