import { Badge } from '../../parts/Badge';
import type { WebhookEndpoint } from '../api/webhooks';

/** Whether an endpoint is told anything, and if not, why. */
export function EndpointState({ endpoint }: { endpoint: WebhookEndpoint }) {
  if (endpoint.enabled) return <Badge tone="good">Enabled</Badge>;
  return (
    <>
      <Badge tone={endpoint.disabled_reason === 'gone' ? 'bad' : 'plain'}>Disabled</Badge>
      {endpoint.disabled_reason === 'gone' ? <small>It answered 410</small> : null}
    </>
  );
}
