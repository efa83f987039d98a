import { useState } from 'react';
import { Field } from '../../parts/Field';
import { dayAndTime } from '../../rules/moments';
import { useRotateSecret, type WebhookEndpoint } from '../api/webhooks';
import { AskFirst } from '../parts/AskFirst';
import { Problem } from '../parts/Problem';
import { SecretOnce } from '../parts/SecretOnce';
import { overlapSeconds } from '../rules/webhookWishes';

/** The secrets that are in force, by their times, and a new one, which is shown once. */
export function Secrets({ endpoint }: { endpoint: WebhookEndpoint }) {
  const rotation = useRotateSecret(endpoint.endpoint_id);
  const [hours, setHours] = useState('24');
  const overlap = overlapSeconds(hours);
  const secret = rotation.data?.secret;
  return (
    <section className="card" aria-labelledby="secrets">
      <h2 id="secrets">Secrets</h2>
      <ul className="plain-list">
        {endpoint.secrets.map((one, index) => (
          <li key={one.created_at}>
            {index === 0 ? 'The present one' : 'An older one'}, since {dayAndTime(one.created_at)}
            {one.expires_at === null ? null : `, signs until ${dayAndTime(one.expires_at)}`}
          </li>
        ))}
      </ul>
      {secret === undefined ? null : <SecretOnce key={secret} secret={secret} onClose={() => rotation.reset()} />}
      <Field label="Hours in which the old one signs too" inputMode="numeric" required value={hours} error={overlap === null ? 'A whole number from 0 to 168.' : undefined} onChange={(event) => setHours(event.target.value)} />
      <Problem error={rotation.error} />
      <p className="actions">
        <AskFirst text="New secret …" title="Give it a new secret?" action="New secret" disabled={overlap === null} run={() => rotation.mutateAsync(overlap ?? 0)}>
          <p>{overlap === 0 ? 'The old secret signs no more from now on: a system that does not have the new one refuses what it is sent.' : `For ${hours.trim()} hours both sign, so that your system can go over.`}</p>
        </AskFirst>
      </p>
    </section>
  );
}
