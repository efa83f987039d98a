import { largest, type Micros, readable, scaleEnd, share, sum } from '../rules/quantities';
import type { Slot } from '../rules/usageGrouping';
import { Table } from './Table';
import { useWidth } from './useWidth';

interface BarChartProps {
  /** What it shows, such as `GPU hours by day`. */
  title: string;
  slots: readonly Slot[];
  /** A slot's name in full, for its table and tooltip. */
  nameOf: (key: string) => string;
  /** A slot's name below its bar, where there is room. */
  tickOf: (key: string) => string;
  /** What the slots' names are, such as `Day`. */
  slotTitle: string;
}

const HEIGHT = 200;
const BELOW = 24;
const ABOVE = 10;
const LEAST_TICK = 52; // pixels between two names below

/** Bars over time, and the same as a table: what is drawn is hidden from screen readers but for its summary. */
export function BarChart({ title, slots, nameOf, tickOf, slotTitle }: BarChartProps) {
  const [figure, width] = useWidth<HTMLElement>(640);
  const quantities = slots.map((slot) => slot.quantity);
  const end = scaleEnd(largest(quantities));
  const marks = [end, end / 2n, 0n];
  const left = Math.max(...marks.map((mark) => readable(mark).length)) * 7 + 10;
  const step = (width - left) / Math.max(slots.length, 1);
  const bar = Math.max(1, step * (step > 14 ? 0.68 : 0.8));
  const every = Math.max(1, Math.ceil(LEAST_TICK / step));
  const y = (quantity: Micros) => ABOVE + (HEIGHT - ABOVE) * (1 - share(quantity, end));

  return (
    <figure className="chart" ref={figure}>
      <svg role="img" aria-label={summary(title, slots, nameOf)} viewBox={`0 0 ${width} ${HEIGHT + BELOW}`} height={HEIGHT + BELOW}>
        {marks.map((mark) => (
          <g key={mark.toString()}>
            <line className={mark === 0n ? 'base' : 'grid'} x1={left} x2={width} y1={y(mark)} y2={y(mark)} />
            <text className="scale" x={left - 8} y={y(mark) + 4}>{readable(mark)}</text>
          </g>
        ))}
        {slots.map((slot, index) => {
          const x = left + index * step;
          return (
            <g key={slot.key}>
              <title>{`${nameOf(slot.key)}: ${readable(slot.quantity)}`}</title>
              <rect className="bar-hit" x={x} y={ABOVE} width={step} height={HEIGHT - ABOVE} />
              <rect className="bar" x={x + (step - bar) / 2} y={y(slot.quantity)} width={bar} height={HEIGHT - y(slot.quantity)} rx={Math.min(2, bar / 4)} />
              {index % every === 0 && x + step / 2 + 20 <= width + 8 ? (
                <text className="tick" x={x + step / 2} y={HEIGHT + 18}>{tickOf(slot.key)}</text>
              ) : null}
            </g>
          );
        })}
      </svg>
      <details className="as-table">
        <summary>{title}, as a table</summary>
        <SlotTable title={title} slotTitle={slotTitle} slots={slots.filter((slot) => slot.quantity !== 0n)} nameOf={nameOf} />
      </details>
    </figure>
  );
}

interface SlotTableProps {
  title: string;
  slotTitle: string;
  slots: readonly Slot[];
  nameOf: (key: string) => string;
  /** Whether they are of one unit, so that a sum means something. */
  isSummed?: boolean;
}

/** Names and quantities, with their sum. */
export function SlotTable({ title, slotTitle, slots, nameOf, isSummed = true }: SlotTableProps) {
  return (
    <Table
      compact
      caption={title}
      columns={[
        { title: slotTitle, cell: (slot: Slot) => nameOf(slot.key) },
        { title: 'Quantity', cell: (slot: Slot) => readable(slot.quantity), isNumber: true },
      ]}
      rows={slots}
      keyOf={(slot) => slot.key}
      {...(isSummed ? { foot: ['Together', readable(sum(slots.map((slot) => slot.quantity)))] } : {})}
    />
  );
}

function summary(title: string, slots: readonly Slot[], nameOf: (key: string) => string): string {
  const quantities = slots.map((slot) => slot.quantity);
  const most = largest(quantities);
  const highest = most === 0n ? undefined : slots.find((slot) => slot.quantity === most);
  const together = `${title}: ${readable(sum(quantities))} together`;
  return highest === undefined ? `${together}.` : `${together}; the most is ${readable(highest.quantity)}, ${nameOf(highest.key)}.`;
}
