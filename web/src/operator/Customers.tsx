import { type SyntheticEvent, useState } from 'react';
import { Link } from 'wouter';
import type { Customer } from '../api/account';
import { type CustomerFilters, useCustomers } from '../api/customers';
import { Badge } from '../parts/Badge';
import { Choice } from '../parts/Choice';
import { Empty } from '../parts/Empty';
import { Field } from '../parts/Field';
import { Moment } from '../parts/Moment';
import { Page } from '../parts/Page';
import { type Column, Table } from '../parts/Table';
import { accessWords } from '../rules/words';
import { customerAt } from './addresses';
import { filterFrom, SEARCHES, type SearchBy } from './customerSearch';
import { CustomersNav } from './parts/areas';
import { IdLink } from './parts/IdLink';
import { SparseList } from './parts/SparseList';

const COLUMNS: readonly Column<Customer>[] = [
  { title: 'Customer', cell: (one) => <><Link href={customerAt(one.customer_id)}>{one.name ?? one.email}</Link><small>{one.name === null ? one.company : one.email}</small></> },
  { title: 'Access', cell: (one) => <Badge {...accessWords(one.access)} /> },
  { title: 'Subscriptions', cell: (one) => one.subscriptions.length, isNumber: true },
  { title: 'Since', cell: (one) => <Moment at={one.created_at} /> },
  { title: 'Id', cell: (one) => <IdLink id={one.customer_id} to={customerAt(one.customer_id)} /> },
];

/** Finds customers. The pattern of the console's pages: a search that is submitted, a list by cursor. */
export function Customers() {
  const [by, setBy] = useState<SearchBy>('email');
  const [text, setText] = useState('');
  const [filters, setFilters] = useState<CustomerFilters>({});
  const customers = useCustomers(filters);

  const search = (event: SyntheticEvent) => {
    event.preventDefault();
    setFilters(filterFrom(by, text));
  };

  return (
    <Page title="Customers" lead="Who registered, and what they hold.">
      <CustomersNav />
      <form role="search" className="search" onSubmit={search}>
        <Choice label="Search by" value={by} options={SEARCHES} onChoose={setBy} />
        <Field label="Exactly" saysOptional={false} value={text} onChange={(event) => setText(event.target.value)} />
        <button type="submit" className="button">Search</button>
      </form>
      <SparseList list={customers} loading="Looking for customers" empty={<Empty title="No customer fits." />}>
        {(items) => <Table caption="Customers" columns={COLUMNS} rows={items} keyOf={(one) => one.customer_id} />}
      </SparseList>
    </Page>
  );
}
