import { useState } from 'react';
import { Link } from 'wouter';
import { type Customer, type HeldSubscription, useAccess } from '../../api/account';
import { Badge } from '../../parts/Badge';
import { Empty } from '../../parts/Empty';
import { Facts } from '../../parts/Facts';
import { Page } from '../../parts/Page';
import { type Column, Table } from '../../parts/Table';
import { day, dayAndTime } from '../../rules/moments';
import { entitledTo } from '../../rules/entitledTo';
import { accessWords, dimensionTitle, statusWords } from '../../rules/words';
import { subscriptionAt } from '../addresses';
import { type CustomerExport, useCustomer, useCustomerExport, useDeleteCustomer } from '../api/customers';
import { useSomeOfOutbox } from '../api/outbox';
import { CustomersNav } from '../parts/areas';
import { AskFirst } from '../parts/AskFirst';
import { Done } from '../parts/Done';
import { IdLink } from '../parts/IdLink';
import { Problem } from '../parts/Problem';
import { Read } from '../parts/Read';
import { Work } from '../parts/Work';
import { saveFile } from '../../parts/saveFile';
import { OutboxTable } from './OutboxTable';

/** One customer: who they are, what they may use, what they hold, and what waits for them. */
export function CustomerPage({ customerId }: { customerId: string }) {
  const customer = useCustomer(customerId);
  const kept = useCustomerExport(customerId);
  const deletion = useDeleteCustomer(customerId);
  if (deletion.isSuccess) {
    return (
      <Page title="The customer is deleted" narrow>
        <Done>Their personal data are erased. What still runs at AWS goes on being billed to its agreement.</Done>
        <p className="actions"><Link href="/operator" className="button">Customers</Link></p>
      </Page>
    );
  }
  return (
    <Page title={customer.data?.name ?? customer.data?.email ?? 'Customer'} actions={<Link href="/operator">All customers</Link>}>
      <CustomersNav />
      <Read query={customer} loading="Loading the customer">
        {(one) => (
          <>
            <div className="two">
              <About customer={one} />
              <Identities query={kept} />
            </div>
            <Subscriptions customer={one} />
            <Waiting customer={one} />
            <section className="section card" aria-labelledby="data">
              <h2 id="data">Their personal data</h2>
              <p>The export holds all that registration keeps about them. Deleting erases it; it cancels nothing at AWS.</p>
              <Problem error={deletion.error} />
              <div className="actions">
                <Export customerId={customerId} query={kept} />
                <AskFirst
                  kind="danger"
                  text="Delete customer …"
                  title={`Delete ${one.name ?? one.email}?`}
                  action="Delete customer"
                  run={() => deletion.mutateAsync()}
                >
                  <ul>
                    <li>E-mail address, name, company, the product’s own fields, account id and identities are erased, for good.</li>
                    <li>Subscriptions are not cancelled. As long as one runs its claim stays, so that usage is billed to the right agreement.</li>
                  </ul>
                </AskFirst>
              </div>
            </section>
          </>
        )}
      </Read>
    </Page>
  );
}

function About({ customer: one }: { customer: Customer }) {
  const access = useAccess(one.customer_id);
  return (
    <section className="card" aria-labelledby="about">
      <h2 id="about">About</h2>
      <p className="badges">
        <Badge {...accessWords(one.access)} />
        {access.data === undefined ? null : <Badge tone={access.data.can_pay ? 'good' : 'plain'}>{access.data.can_pay ? 'AWS bills usage' : 'AWS bills nothing'}</Badge>}
      </p>
      <Problem error={access.error} />
      <Facts
        facts={[
          ['E-mail', one.email],
          ['Name', one.name],
          ['Company', one.company],
          ['Account id', one.account_id === null ? null : <code>{one.account_id}</code>],
          ...Object.entries(one.fields).map(([name, value]) => [`Field “${name}”`, value] as const),
          ['Since', dayAndTime(one.created_at)],
          ['Changed', dayAndTime(one.updated_at)],
          ['Customer', <code key="id">{one.customer_id}</code>],
        ]}
      />
    </section>
  );
}

function Identities({ query }: { query: ReturnType<typeof useCustomerExport> }) {
  return (
    <section className="card" aria-labelledby="identities">
      <h2 id="identities">How they sign in</h2>
      <Read query={query} loading="Loading identities">
        {({ identities }) =>
          identities.length === 0 ? (
            <p className="soft">No identity is connected: the account was made by a form or named by your back end.</p>
          ) : (
            <ul className="plain-list">
              {identities.map((one) => (
                <li key={`${one.issuer} ${one.subject}`}>
                  {one.issuer}
                  <small><code>{one.subject}</code>, connected {dayAndTime(one.connected_at)}</small>
                </li>
              ))}
            </ul>
          )
        }
      </Read>
    </section>
  );
}

function Subscriptions({ customer }: { customer: Customer }) {
  const access = useAccess(customer.customer_id);
  const ofId = (id: string) => access.data?.subscriptions.find((one) => one.subscription_id === id);
  const columns: readonly Column<HeldSubscription>[] = [
    { title: 'Product', cell: (one) => <><Link href={subscriptionAt(one.subscription_id)}>{one.product.title ?? one.product.product_code}</Link><small><code>{one.product.product_code}</code></small></> },
    { title: 'Status', cell: (one) => <Badge {...statusWords(one.status)} /> },
    { title: 'Access', cell: (one) => <Badge {...accessWords(one.access)} /> },
    { title: 'Entitled to', cell: (one) => (ofId(one.subscription_id)?.entitlements ?? []).map((held) => `${dimensionTitle(held.dimension)}: ${entitledTo(held)}`).join(', ') || '–' },
    {
      title: 'Ends',
      cell: (one) => {
        const ends = ofId(one.subscription_id)?.agreement_ends_at ?? null;
        return ends === null ? '–' : day(ends);
      },
    },
    { title: 'Id', cell: (one) => <IdLink id={one.subscription_id} to={subscriptionAt(one.subscription_id)} /> },
  ];
  return (
    <section className="section" aria-labelledby="held">
      <h2 id="held">Subscriptions</h2>
      {customer.subscriptions.length === 0 ? (
        <Empty title="They hold none." />
      ) : (
        <Table caption="Subscriptions" columns={columns} rows={customer.subscriptions} keyOf={(one) => one.subscription_id} />
      )}
    </section>
  );
}

function Waiting({ customer }: { customer: Customer }) {
  const outbox = useSomeOfOutbox(null);
  const theirs = new Set(customer.subscriptions.map((one) => one.subscription_id));
  return (
    <section className="section" aria-labelledby="waiting">
      <h2 id="waiting">What waits for them</h2>
      <Read query={outbox} loading="Looking into the outbox">
        {({ items, isAll }) => {
          const found = items.filter((one) => one.customer_id === customer.customer_id || theirs.has(one.subscription_id));
          return (
            <>
              {found.length === 0 ? <p className="soft">Nothing waits for them{isAll ? '.' : ' among the items that were read.'}</p> : <OutboxTable items={found} />}
              {isAll ? null : <p className="soft">The outbox is longer than was read here. <Link href="/operator/outbox">See all of it</Link>.</p>}
            </>
          );
        }}
      </Read>
    </section>
  );
}

/** Saves the export, asked for anew: what was shown may be old. */
function Export({ customerId, query }: { customerId: string; query: ReturnType<typeof useCustomerExport> }) {
  const [state, setState] = useState<'idle' | 'busy' | 'saved'>('idle');
  const save = () => {
    setState('busy');
    void query.refetch().then(({ data, isError }) => {
      if (data !== undefined && !isError) saveExport(customerId, data);
      setState(isError ? 'idle' : 'saved');
    });
  };
  return (
    <>
      <Work quiet busy={state === 'busy'} saying="Fetching …" onDo={save}>Download the export</Work>
      <span role="status">{state === 'saved' ? 'The file is saved.' : ''}</span>
    </>
  );
}

function saveExport(customerId: string, kept: CustomerExport): void {
  saveFile(`${customerId}.json`, JSON.stringify(kept, null, 2));
}
