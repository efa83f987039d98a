import { type SyntheticEvent, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { type EndpointWish, useCreateEndpoint } from '../api/endpoints';
import { useOwnAccount } from '../app/AccountContext';
import { Choice } from '../parts/Choice';
import { Field } from '../parts/Field';
import { Page } from '../parts/Page';
import { Trouble } from '../parts/Trouble';
import { fieldErrors } from '../rules/fieldErrors';
import { subscriptionTitle } from './SubscriptionChoice';

const ACCELERATORS: readonly { readonly value: EndpointWish['accelerator']; readonly text: string }[] = [
  { value: 'CPU', text: 'CPU' },
  { value: 'GPU', text: 'GPU' },
  { value: 'TPU', text: 'TPU' },
];

/** The form that creates an endpoint. */
export function NewEndpoint() {
  const account = useOwnAccount();
  const [, go] = useLocation();
  const creation = useCreateEndpoint();
  const open = account.subscriptions.filter((one) => one.access === 'granted');
  const [name, setName] = useState('');
  const [repository, setRepository] = useState('');
  const [accelerator, setAccelerator] = useState<EndpointWish['accelerator']>('GPU');
  const [subscriptionId, setSubscriptionId] = useState('');
  const errors = fieldErrors(creation.error);

  const create = (event: SyntheticEvent) => {
    event.preventDefault();
    if (creation.isPending) return;
    const wish: EndpointWish = { name: name.trim(), repository: repository.trim(), accelerator };
    if (subscriptionId !== '') wish.subscription_id = subscriptionId;
    creation.mutate(wish, { onSuccess: () => go('/endpoints') });
  };

  return (
    <Page title="Create an endpoint" lead="It runs, and is charged by its running time, from the moment you create it.">
      <form className="form card" onSubmit={create}>
        <Field
          label="Name"
          hint="For yourself; it can be any."
          required
          maxLength={200}
          value={name}
          error={errors.name}
          onChange={(event) => setName(event.target.value)}
        />
        <Field
          label="Repository"
          hint="The model to serve, such as acme/llama-chat-pt."
          required
          maxLength={255}
          pattern="[A-Za-z0-9][A-Za-z0-9._\/:@\-]*"
          title="Letters, digits and . _ / : @ -, beginning with a letter or a digit"
          autoCapitalize="none"
          spellCheck={false}
          value={repository}
          error={errors.repository}
          onChange={(event) => setRepository(event.target.value)}
        />
        <Choice
          label="Accelerator"
          hint="What it runs on. Each has a price of its own."
          value={accelerator}
          options={ACCELERATORS}
          error={errors.accelerator}
          onChoose={setAccelerator}
        />
        {open.length > 1 || errors.subscription_id !== undefined ? (
          <Choice
            label="Subscription"
            hint="By which it is billed."
            value={subscriptionId}
            options={[{ value: '', text: 'The one that has endpoints' }, ...open.map((one) => ({ value: one.subscription_id, text: subscriptionTitle(one) }))]}
            error={errors.subscription_id}
            onChoose={setSubscriptionId}
          />
        ) : null}
        {creation.error === null ? null : <Trouble error={creation.error} />}
        <p className="actions">
          <button type="submit" className="button" aria-disabled={creation.isPending}>
            {creation.isPending ? 'Creating …' : 'Create endpoint'}
          </button>
          <Link href="/endpoints">Cancel</Link>
        </p>
      </form>
    </Page>
  );
}
