import { largest, share } from '../rules/quantities';
import type { Slot } from '../rules/usageGrouping';

/** A chart without scale or words: how a quantity went. Hidden from screen readers, for whom the number stands by it. */
export function Sparkline({ slots }: { slots: readonly Slot[] }) {
  const most = largest(slots.map((slot) => slot.quantity));
  return (
    <svg className="sparkline" viewBox={`0 0 ${slots.length * 10} 32`} preserveAspectRatio="none" aria-hidden="true">
      {slots.map((slot, index) => {
        const height = Math.max(1, share(slot.quantity, most) * 32);
        return <rect key={slot.key} className="bar" x={index * 10 + 1.5} y={32 - height} width={7} height={height} />;
      })}
    </svg>
  );
}
