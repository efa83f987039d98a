import { useLocation } from 'wouter';
import { type MeteringRecord, useMeteringRecords } from '../api/usage';
import { useOwnAccount } from '../app/AccountContext';
import { Badge } from '../parts/Badge';
import { Empty } from '../parts/Empty';
import { ListOf } from '../parts/ListOf';
import { Page } from '../parts/Page';
import { type Column, Table } from '../parts/Table';
import { Moment } from '../parts/Moment';
import { microsFrom, readable } from '../rules/quantities';
import { inOrder } from '../rules/subscriptionOrder';
import { dimensionTitle, outcomeMeaning, outcomeWords } from '../rules/words';
import { Balances, CustomerBalances } from './Balances';
import { SubscriptionChoice } from './SubscriptionChoice';

const COLUMNS: readonly Column<MeteringRecord>[] = [
  { title: 'Hour', cell: (one) => <Moment at={one.hour} /> },
  { title: 'Dimension', cell: (one) => dimensionTitle(one.dimension) },
  { title: 'Quantity', cell: (one) => readable(microsFrom(one.quantity)), isNumber: true },
  {
    title: 'At AWS Marketplace',
    cell: (one) => (
      <>
        <Badge {...outcomeWords(one.outcome)} />
        {outcomeMeaning(one.outcome) === null ? null : <small>{outcomeMeaning(one.outcome)}</small>}
      </>
    ),
  },
];

/** What was billed, and where all other usage is. Prices are AWS's: the bill itself is in the AWS console. */
export function Billing({ subscriptionId }: { subscriptionId: string | undefined }) {
  const account = useOwnAccount();
  const held = inOrder(account.subscriptions);
  const chosen = subscriptionId ?? held[0]?.subscription_id;
  const productCode = held.find((one) => one.subscription_id === chosen)?.product.product_code;
  const [, go] = useLocation();
  if (chosen === undefined) {
    return (
      <Page title="Billing">
        <Empty title="There is no subscription yet, and so nothing is billed." />
      </Page>
    );
  }
  return (
    <Page
      title="Billing"
      lead="What AWS Marketplace was told that you used. What it costs stands on your AWS bill, by the prices that you agreed to there."
    >
      <div className="chooser">
        <SubscriptionChoice held={held} chosen={chosen} onChoose={(id) => go(`/billing/${id}`)} />
      </div>
      <section className="section" aria-labelledby="balance">
        <h2 id="balance">Where your usage is now</h2>
        <Balances subscriptionId={chosen} />
        {productCode === undefined ? null : <CustomerBalances customerId={account.customer_id} productCode={productCode} />}
      </section>
      <section className="section" aria-labelledby="records">
        <h2 id="records">Hours that were billed</h2>
        <Records subscriptionId={chosen} />
      </section>
    </Page>
  );
}

function Records({ subscriptionId }: { subscriptionId: string }) {
  const records = useMeteringRecords(subscriptionId);
  return (
    <ListOf list={records} loading="Loading what was billed" empty={<Empty title="Nothing was billed yet." />}>
      {(items) => <Table caption="Metering records" columns={COLUMNS} rows={items} keyOf={(one) => one.metering_record_id} />}
    </ListOf>
  );
}
