import { useState } from 'react';
import { Link } from 'wouter';
import { type Endpoint, type EndpointState, useDeleteEndpoint, useEndpoints } from '../api/endpoints';
import { Badge } from '../parts/Badge';
import { Choice } from '../parts/Choice';
import { Confirm } from '../parts/Confirm';
import { Empty } from '../parts/Empty';
import { ListOf } from '../parts/ListOf';
import { Page } from '../parts/Page';
import { type Column, Table } from '../parts/Table';
import { Trouble } from '../parts/Trouble';
import { Moment } from '../parts/Moment';
import { readable } from '../rules/quantities';
import { runningHours } from '../rules/runningTime';
import { endpointEndWords } from '../rules/words';

const STATES: readonly { readonly value: EndpointState | 'all'; readonly text: string }[] = [
  { value: 'running', text: 'Running' },
  { value: 'deleted', text: 'Deleted' },
  { value: 'all', text: 'All' },
];

/** What the buyer runs, and for how long. */
export function Endpoints() {
  const [state, setState] = useState<EndpointState | 'all'>('running');
  const [asked, setAsked] = useState<Endpoint | null>(null);
  const [said, setSaid] = useState('');
  const endpoints = useEndpoints(state);
  const removal = useDeleteEndpoint();

  const columns: readonly Column<Endpoint>[] = [
    { title: 'Name', cell: (one) => <>{one.name}<small><code>{one.repository}</code></small></> },
    { title: 'Accelerator', cell: (one) => one.accelerator },
    { title: 'State', cell: (one) => <EndpointBadge endpoint={one} /> },
    { title: 'Created', cell: (one) => <Moment at={one.created_at} /> },
    { title: 'Running hours', cell: (one) => <RunningHours endpoint={one} />, isNumber: true },
    {
      title: 'Action',
      isAction: true,
      cell: (one) =>
        one.state === 'running' ? (
          <button type="button" className="button quiet small" onClick={() => setAsked(one)}>
            Delete<span className="for-readers"> {one.name}</span>
          </button>
        ) : (
          '–'
        ),
    },
  ];

  const remove = (endpoint: Endpoint) =>
    removal.mutate(endpoint.endpoint_id, {
      onSuccess: () => setSaid(`${endpoint.name} is deleted. Its last running time is metered within the hour.`),
      onSettled: () => setAsked(null),
    });

  return (
    <Page
      title="Endpoints"
      lead="What runs for you. An endpoint is metered by the second from when it is created until it is deleted."
      actions={<Link href="/endpoints/new" className="button">Create an endpoint</Link>}
    >
      <div className="chooser">
        <Choice label="Show" value={state} options={STATES} onChoose={setState} />
      </div>
      <div role="status">{said === '' ? null : <p className="box good">{said}</p>}</div>
      {removal.error === null ? null : <Trouble error={removal.error} />}
      <ListOf list={endpoints} loading="Loading your endpoints" empty={<Nothing state={state} />}>
        {(items) => <Table caption="Endpoints" columns={columns} rows={items} keyOf={(one) => one.endpoint_id} />}
      </ListOf>
      {asked === null ? null : (
        <Confirm
          title={`Delete ${asked.name}?`}
          action="Delete endpoint"
          busy={removal.isPending}
          onConfirm={() => remove(asked)}
          onCancel={() => setAsked(null)}
        >
          <p>It stops now and answers no more. It cannot be started again; you can create a new one.</p>
          <p>You are charged for the time until now.</p>
        </Confirm>
      )}
    </Page>
  );
}

function EndpointBadge({ endpoint }: { endpoint: Endpoint }) {
  if (endpoint.state === 'running') return <Badge tone="good">Running</Badge>;
  return (
    <>
      <Badge tone="plain">{endpointEndWords(endpoint.ended_because)}</Badge>
      {endpoint.deleted_at === null ? null : <small><Moment at={endpoint.deleted_at} /></small>}
    </>
  );
}

function RunningHours({ endpoint }: { endpoint: Endpoint }) {
  const until = endpoint.deleted_at ?? endpoint.metered_until;
  return (
    <>
      {readable(runningHours(endpoint.created_at, until))}
      {endpoint.deleted_at === null ? <small>metered until <Moment at={until} /></small> : null}
    </>
  );
}

function Nothing({ state }: { state: EndpointState | 'all' }) {
  if (state === 'deleted') return <Empty title="No endpoint was deleted yet." />;
  return (
    <Empty title={state === 'running' ? 'Nothing runs.' : 'There is no endpoint yet.'}>
      <p>Name a model’s repository, and it answers on an address of its own.</p>
      <p className="actions"><Link href="/endpoints/new" className="button">Create an endpoint</Link></p>
    </Empty>
  );
}
