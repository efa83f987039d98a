import { useMutation, useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import type { components } from './generated/registration';
import { answerOf, bodyOf, useServices } from './services';

export type Customer = components['schemas']['Customer'];
export type HeldSubscription = components['schemas']['HeldSubscription'];
export type CustomerChange = components['schemas']['CustomerChange'];
export type CustomerAccess = components['schemas']['CustomerAccess'];
export type SubscriptionAccess = components['schemas']['SubscriptionAccess'];

/** How often is looked whether AWS Marketplace has confirmed a subscription, in milliseconds. */
export const LOOK_AGAIN = 10_000;

/** The buyer's own account; null where nobody has registered under this sign-in. */
export function useAccount(): UseQueryResult<Customer | null> {
  const { registration } = useServices();
  return useQuery({
    queryKey: ['account'],
    refetchInterval: ({ state }) => (state.data?.subscriptions.some(isPending) ? LOOK_AGAIN : false),
    queryFn: async () => {
      const page = await bodyOf('registration', registration.GET('/v1/customers', { params: { query: { limit: 1 } } }));
      return page.items[0] ?? null;
    },
  });
}

/** Whether AWS Marketplace is still to confirm it. */
export function isPending(subscription: { readonly status: string }): boolean {
  return subscription.status === 'pending';
}

/** What the buyer may use now, with entitlements and ends. */
export function useAccess(customerId: string | undefined): UseQueryResult<CustomerAccess> {
  const { registration } = useServices();
  return useQuery({
    queryKey: ['access', customerId],
    enabled: customerId !== undefined,
    queryFn: () =>
      bodyOf(
        'registration',
        registration.GET('/v1/customers/{customer_id}/access', {
          params: { path: { customer_id: customerId ?? '' } },
        }),
      ),
  });
}

/** The account with its ETag, for a change that is made only to what was read. */
export function useAccountToChange(customerId: string): UseQueryResult<{ body: Customer; etag: string | null }> {
  const { registration } = useServices();
  return useQuery({
    queryKey: ['account-to-change', customerId],
    refetchOnWindowFocus: false, // it would take away what is being typed
    queryFn: () =>
      answerOf(
        'registration',
        registration.GET('/v1/customers/{customer_id}', { params: { path: { customer_id: customerId } } }),
      ),
  });
}

export function useChangeAccount(customerId: string) {
  const { registration } = useServices();
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({ change, etag }: { change: CustomerChange; etag: string | null }) =>
      answerOf(
        'registration',
        registration.PATCH('/v1/customers/{customer_id}', {
          params: { path: { customer_id: customerId }, header: etag === null ? {} : { 'If-Match': etag } },
          body: change,
        }),
      ),
    onSuccess: (answer) => {
      cache.setQueryData(['account-to-change', customerId], answer);
      cache.setQueryData(['account'], answer.body);
    },
  });
}

export function useDeleteAccount(customerId: string) {
  const { registration } = useServices();
  return useMutation({
    mutationFn: () =>
      bodyOf(
        'registration',
        registration.DELETE('/v1/customers/{customer_id}', { params: { path: { customer_id: customerId } } }),
      ),
  });
}

/** All that is kept about the buyer, as text to be saved in a file. */
export function useExportAccount(customerId: string) {
  const { registration } = useServices();
  return useMutation({
    mutationFn: async () => {
      const kept = await bodyOf(
        'registration',
        registration.GET('/v1/customers/{customer_id}/export', { params: { path: { customer_id: customerId } } }),
      );
      return JSON.stringify(kept, null, 2);
    },
  });
}
