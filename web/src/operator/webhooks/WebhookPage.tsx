import { useState } from 'react';
import { Link } from 'wouter';
import { Facts } from '../../parts/Facts';
import { Page } from '../../parts/Page';
import { dayAndTime } from '../../rules/moments';
import { deliveryAt } from '../addresses';
import { useDeleteWebhook, useSwitchWebhook, useTestWebhook, useWebhook, type WebhookEndpoint } from '../api/webhooks';
import { WebhooksNav } from '../parts/areas';
import { AskFirst } from '../parts/AskFirst';
import { Done } from '../parts/Done';
import { Problem } from '../parts/Problem';
import { Read } from '../parts/Read';
import { Work } from '../parts/Work';
import { EndpointState } from './EndpointState';
import { Secrets } from './Secrets';
import { StartReplay } from './StartReplay';

/** One webhook endpoint, and all that can be done with it. */
export function WebhookPage({ endpointId }: { endpointId: string }) {
  const endpoint = useWebhook(endpointId);
  const deletion = useDeleteWebhook(endpointId);
  if (deletion.isSuccess) {
    return (
      <Page title="The endpoint is deleted" narrow>
        <Done>Its address and secrets are erased. What was still to be sent to it is given up; its deliveries stay in the list.</Done>
        <p className="actions"><Link href="/operator/webhooks" className="button">Webhooks</Link></p>
      </Page>
    );
  }
  return (
    <Page title={endpoint.data?.body.description ?? 'Webhook endpoint'} lead={endpoint.data?.body.url ?? endpointId} actions={<Link href={`/operator/webhooks/deliveries/all/${endpointId}`}>Its deliveries</Link>}>
      <WebhooksNav />
      <Read query={endpoint} loading="Loading the endpoint">
        {({ body, etag }) => (
          <>
            <div className="two">
              <About endpoint={body} etag={etag} />
              <Secrets endpoint={body} />
            </div>
            <StartReplay endpoint={body} />
            <section className="section card" aria-labelledby="delete">
              <h2 id="delete">Delete</h2>
              <p>Its address and secrets are erased at once.</p>
              <Problem error={deletion.error} />
              <p className="actions">
                <AskFirst kind="danger" text="Delete endpoint …" title="Delete this endpoint?" action="Delete endpoint" run={() => deletion.mutateAsync()}>
                  <p><code>{body.url}</code> is told nothing any more, and what was still to be sent to it is given up.</p>
                </AskFirst>
              </p>
            </section>
          </>
        )}
      </Read>
    </Page>
  );
}

function About({ endpoint, etag }: { endpoint: WebhookEndpoint; etag: string | null }) {
  const test = useTestWebhook(endpoint.endpoint_id);
  const turn = useSwitchWebhook(endpoint.endpoint_id);
  const [said, setSaid] = useState('');
  const enabled = !endpoint.enabled;
  const switchIt = async () => {
    setSaid('');
    await turn.mutateAsync({ enabled, etag });
    setSaid(enabled ? 'It is enabled. What waited is sent now.' : 'It is disabled. What is to be sent waits.');
  };
  return (
    <section className="card" aria-labelledby="about">
      <div className="card-head">
        <h2 id="about">About</h2>
        <span><EndpointState endpoint={endpoint} /></span>
      </div>
      <Facts
        facts={[
          ['Is told', endpoint.event_types === null ? 'Everything' : endpoint.event_types.join(', ')],
          ['Made', dayAndTime(endpoint.created_at)],
          ['Changed', `${dayAndTime(endpoint.updated_at)}, version ${endpoint.version}`],
          ['Id', <code key="id">{endpoint.endpoint_id}</code>],
        ]}
      />
      <Done>
        {test.data === undefined ? null : <>A test event is on its way. <Link href={deliveryAt(test.data.delivery_id)}>What comes of it</Link></>}
      </Done>
      <Done>{said}</Done>
      <Problem error={test.error ?? turn.error} />
      <p className="actions">
        <Work busy={test.isPending} saying="Sending …" onDo={() => test.mutate()}>Send a test event</Work>
        <AskFirst text={enabled ? 'Enable …' : 'Disable …'} title={enabled ? 'Enable this endpoint?' : 'Disable this endpoint?'} action={enabled ? 'Enable' : 'Disable'} run={switchIt}>
          <p>{enabled ? 'What waits for it is sent at once. What happened while it was disabled can be replayed.' : 'It is told nothing until it is enabled again. What is to be sent to it waits.'}</p>
        </AskFirst>
      </p>
    </section>
  );
}
