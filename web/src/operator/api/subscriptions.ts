import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import type { Customer } from '../../api/account';
import type { operations } from '../../api/generated/notifications';
import type { components as Registered } from '../../api/generated/registration';
import { from, type List, readAll, useList } from '../../api/pages';
import { bodyOf, useServices } from '../../api/services';
import { type Subscription, useSubscription } from '../../api/subscriptions';
import { type HourOfUsage, useBalance } from '../../api/usage';
import type { BalanceTold, EntryTold, SubscriptionTold } from './told';

export type SubscriptionFilters = Omit<
  NonNullable<operations['list_subscriptions']['parameters']['query']>,
  'limit' | 'cursor'
>;

export function useSubscriptionSearch(filters: SubscriptionFilters): List<Subscription> {
  const { notifications } = useServices();
  return useList(['operator', 'subscriptions', filters], (cursor) =>
    bodyOf('notifications', notifications.GET('/v1/subscriptions', { params: { query: { ...filters, ...from(cursor) } } })),
  );
}

export function useSubscriptionTold(subscriptionId: string) {
  return useSubscription(subscriptionId) as UseQueryResult<SubscriptionTold>;
}

export function useBalanceTold(subscriptionId: string) {
  return useBalance(subscriptionId) as UseQueryResult<BalanceTold[]>;
}

export interface Owner {
  readonly customer: Customer;
  /** How it was claimed; null where the export does not name it. */
  readonly claim: Registered['schemas']['CustomerExport']['subscriptions'][number] | null;
}

/** Who registered a subscription, and when; null where nobody has. */
export function useOwner(subscriptionId: string): UseQueryResult<Owner | null> {
  const { registration } = useServices();
  return useQuery({
    queryKey: ['operator', 'owner', subscriptionId],
    queryFn: async () => {
      const page = await bodyOf(
        'registration',
        registration.GET('/v1/customers', { params: { query: { subscription_id: subscriptionId } } }),
      );
      const customer = page.items[0];
      if (customer === undefined) return null;
      const kept = await bodyOf(
        'registration',
        registration.GET('/v1/customers/{customer_id}/export', { params: { path: { customer_id: customer.customer_id } } }),
      );
      return { customer, claim: kept.subscriptions.find((one) => one.subscription_id === subscriptionId) ?? null };
    },
  });
}

/** A subscription's whole history: it is as long as a subscription has versions and notices. */
export function useWholeHistory(subscriptionId: string): UseQueryResult<EntryTold[]> {
  const { notifications } = useServices();
  return useQuery({
    queryKey: ['operator', 'whole-history', subscriptionId],
    queryFn: () =>
      readAll((cursor) =>
        bodyOf(
          'notifications',
          notifications.GET('/v1/subscriptions/{subscription_id}/history', {
            params: { path: { subscription_id: subscriptionId }, query: { limit: 100, ...from(cursor) } },
          }),
        ) as Promise<{ items: EntryTold[]; next_cursor: string | null }>,
      ),
  });
}

/** What it used, by days, all its life. */
export function useDaysOfUsage(subscriptionId: string): UseQueryResult<HourOfUsage[]> {
  const { metering } = useServices();
  return useQuery({
    queryKey: ['operator', 'days-of-usage', subscriptionId],
    queryFn: () =>
      readAll((cursor) =>
        bodyOf(
          'metering',
          metering.GET('/v1/usage', { params: { query: { subscription_id: subscriptionId, by: 'day', limit: 100, ...from(cursor) } } }),
        ),
      ),
  });
}
