import type { ReactNode } from 'react';
import { largest, readable, share } from '../rules/quantities';
import type { Slot } from '../rules/usageGrouping';

interface ShareBarsProps {
  /** What the list holds, for screen readers. */
  label: string;
  slots: readonly Slot[];
  nameOf: (key: string) => ReactNode;
}

/** Quantities of one unit beside each other. Each has its name and its number, so the bars only underline them. */
export function ShareBars({ label, slots, nameOf }: ShareBarsProps) {
  const most = largest(slots.map((slot) => slot.quantity));
  return (
    <ul className="shares" aria-label={label}>
      {slots.map((slot) => (
        <li key={slot.key}>
          <span className="share-head">
            <span>{nameOf(slot.key)}</span>
            <b>{readable(slot.quantity)}</b>
          </span>
          <svg className="share-track" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
            <rect className="track" width="100" height="8" rx="1" />
            <rect className="bar" width={share(slot.quantity, most) * 100} height="8" rx="1" />
          </svg>
        </li>
      ))}
    </ul>
  );
}
