import { type SyntheticEvent, useState } from 'react';
import { Link } from 'wouter';
import { Field } from '../../parts/Field';
import { Page } from '../../parts/Page';
import { fieldErrors } from '../../rules/fieldErrors';
import { webhookAt } from '../addresses';
import { useCreateWebhook } from '../api/webhooks';
import { WebhooksNav } from '../parts/areas';
import { Done } from '../parts/Done';
import { Problem } from '../parts/Problem';
import { SecretOnce } from '../parts/SecretOnce';
import { Work } from '../parts/Work';
import { type EventType, typesWished } from '../rules/webhookWishes';
import { TypeChecks } from './TypeChecks';

/** The form that makes an endpoint, and then shows its secret, once. */
export function NewWebhookPage() {
  const creation = useCreateWebhook();
  const [url, setUrl] = useState('');
  const [description, setDescription] = useState('');
  const [types, setTypes] = useState<ReadonlySet<EventType>>(new Set());
  const [isPutAway, setPutAway] = useState(false);
  const errors = fieldErrors(creation.error);
  const made = creation.data;

  const create = (event: SyntheticEvent) => {
    event.preventDefault();
    creation.mutate({ url: url.trim(), description: description.trim() === '' ? null : description.trim(), event_types: typesWished(types) });
  };
  if (made !== undefined) {
    return (
      <Page title="The endpoint is made" lead={made.url}>
        <WebhooksNav />
        <Done>It is told of what happens from now on.</Done>
        {isPutAway ? null : <SecretOnce secret={made.secret} onClose={() => setPutAway(true)} />}
        <p className="actions"><Link href={webhookAt(made.endpoint_id)} className="button quiet">Go to the endpoint</Link></p>
      </Page>
    );
  }
  return (
    <Page title="New endpoint" lead="From then on one of your systems is told of what happens. What is sent follows Standard Webhooks.">
      <WebhooksNav />
      <form className="form wide card" onSubmit={create}>
        <Field label="Address" type="url" required maxLength={2048} hint="https, on the open Internet." placeholder="https://hooks.example.com/marketplane" value={url} error={errors.url} onChange={(event) => setUrl(event.target.value)} />
        <Field label="Description" maxLength={200} value={description} error={errors.description} onChange={(event) => setDescription(event.target.value)} />
        <TypeChecks hint="Where none is chosen it is told everything, what is yet to come included." chosen={types} onChange={setTypes} />
        <Problem error={creation.error} />
        <p className="actions">
          <Work busy={creation.isPending} saying="Making it …">Make the endpoint</Work>
          <Link href="/operator/webhooks">Cancel</Link>
        </p>
      </form>
    </Page>
  );
}
