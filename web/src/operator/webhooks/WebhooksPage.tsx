import { Link } from 'wouter';
import { Badge } from '../../parts/Badge';
import { Empty } from '../../parts/Empty';
import { ListOf } from '../../parts/ListOf';
import { Page } from '../../parts/Page';
import { type Column, Table } from '../../parts/Table';
import { dayAndTime } from '../../rules/moments';
import { webhookAt } from '../addresses';
import { useWebhooks, type WebhookEndpoint } from '../api/webhooks';
import { WebhooksNav } from '../parts/areas';
import { counted } from '../rules/counts';
import { EndpointState } from './EndpointState';

const COLUMNS: readonly Column<WebhookEndpoint>[] = [
  { title: 'Endpoint', cell: (one) => <><Link href={webhookAt(one.endpoint_id)}>{one.description ?? one.url}</Link><small>{one.url}</small></> },
  { title: 'State', cell: (one) => <EndpointState endpoint={one} /> },
  { title: 'Is told', cell: (one) => (one.event_types === null ? 'Everything' : counted(one.event_types.length, 'type')) },
  { title: 'Secrets', cell: (one) => (one.secrets.length > 1 ? <Badge tone="warn">{`${one.secrets.length} in force`}</Badge> : counted(one.secrets.length, 'secret')) },
  { title: 'Changed', cell: (one) => dayAndTime(one.updated_at) },
];

/** Your own systems that are told of what happens. */
export function WebhooksPage() {
  const endpoints = useWebhooks();
  return (
    <Page title="Webhooks" lead="Your own systems that are told, signed, of what happens to subscriptions." actions={<Link href="/operator/webhooks/endpoint/new" className="button">New endpoint</Link>}>
      <WebhooksNav />
      <ListOf list={endpoints} loading="Loading endpoints" empty={<Empty title="There is no endpoint yet."><p>Each change is also read from the API; an endpoint is told at once.</p></Empty>}>
        {(items) => <Table caption="Webhook endpoints" columns={COLUMNS} rows={items} keyOf={(one) => one.endpoint_id} />}
      </ListOf>
    </Page>
  );
}
