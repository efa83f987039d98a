import { useState } from 'react';
import { Badge } from '../../parts/Badge';
import { Empty } from '../../parts/Empty';
import { ListOf } from '../../parts/ListOf';
import { Page } from '../../parts/Page';
import { type Column, Table } from '../../parts/Table';
import { dayAndTime } from '../../rules/moments';
import { microsFrom, readable } from '../../rules/quantities';
import { dimensionTitle } from '../../rules/words';
import { customerAt, subscriptionAt } from '../addresses';
import { type HeldUsage, type HeldUsageDecision, useHeldDecisions, useHeldUsage } from '../api/heldUsage';
import { MeteringNav } from '../parts/areas';
import { IdLink } from '../parts/IdLink';
import { reasonSaid } from '../rules/words';
import { DecideHeld } from './DecideHeld';

function Holder({ of }: { of: Pick<HeldUsage, 'subscription_id' | 'customer_id' | 'product_code'> }) {
  if (of.subscription_id !== null) return <IdLink id={of.subscription_id} to={subscriptionAt(of.subscription_id)} />;
  if (of.customer_id === null) return <>–</>;
  return <><IdLink id={of.customer_id} to={customerAt(of.customer_id)} /><small><code>{of.product_code}</code></small></>;
}

const WHAT = [
  { title: 'Of', cell: (one: HeldUsage | HeldUsageDecision) => <Holder of={one} /> },
  { title: 'Dimension', cell: (one: HeldUsage | HeldUsageDecision) => dimensionTitle(one.dimension) },
  { title: 'Hour of use', cell: (one: HeldUsage | HeldUsageDecision) => dayAndTime(one.hour) },
  { title: 'Quantity', cell: (one: HeldUsage | HeldUsageDecision) => readable(microsFrom(one.quantity)), isNumber: true },
] as const;

/** Usage that is in no metering record, why, and what a person decides about it. */
export function HeldPage() {
  const held = useHeldUsage();
  const [chosen, setChosen] = useState<HeldUsage | null>(null);
  const columns: readonly Column<HeldUsage>[] = [
    ...WHAT,
    { title: 'Held because', cell: (one) => reasonSaid(one.reason) },
    { title: 'Action', cell: (one) => <button type="button" className="button quiet small" onClick={() => setChosen(one)}>Decide<span className="for-readers"> about {dimensionTitle(one.dimension)}, {dayAndTime(one.hour)}</span></button> },
  ];
  return (
    <Page title="Held usage" lead="What nobody can say yet to whom it is billed, or whether at all. Most of it is released by itself once that is known; a person may decide.">
      <MeteringNav />
      {chosen === null ? null : <DecideHeld key={keyOf(chosen)} held={chosen} onClose={() => setChosen(null)} />}
      <ListOf list={held} loading="Loading held usage" empty={<Empty title="Nothing is held." />}>
        {(items) => <Table caption="Held usage" columns={columns} rows={items} keyOf={keyOf} />}
      </ListOf>
      <section className="section" aria-labelledby="decided">
        <h2 id="decided">What persons decided</h2>
        <Decisions />
      </section>
    </Page>
  );
}

const keyOf = (one: HeldUsage) => [one.subscription_id, one.customer_id, one.product_code, one.dimension, one.hour, one.reason].join(' ');

function Decisions() {
  const decisions = useHeldDecisions();
  const columns: readonly Column<HeldUsageDecision>[] = [
    ...WHAT,
    { title: 'Decision', cell: (one) => <><Badge tone={one.decision === 'give' ? 'good' : 'warn'}>{one.decision === 'give' ? 'Given' : 'Written off'}</Badge>{one.to_subscription_id === null ? null : <small>to <IdLink id={one.to_subscription_id} to={subscriptionAt(one.to_subscription_id)} /></small>}</> },
    { title: 'Why', cell: (one) => <>{one.reason}<small>{one.by}, {dayAndTime(one.at)}</small></> },
  ];
  return (
    <ListOf list={decisions} loading="Loading decisions" empty={<Empty title="Nothing was decided yet." />}>
      {(items) => <Table caption="Decisions" columns={columns} rows={items} keyOf={(one) => [one.subscription_id, one.customer_id, one.product_code, one.dimension, one.hour, one.at].join(' ')} />}
    </ListOf>
  );
}
