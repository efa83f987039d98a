import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { type HeldSubscription, isPending, LOOK_AGAIN } from './account';
import type { components } from './generated/notifications';
import { from, type List, useList } from './pages';
import { bodyOf, useServices } from './services';

export type Subscription = components['schemas']['Subscription'];
export type HistoryEntry = components['schemas']['HistoryEntry'];

/**
 * The buyer's own subscriptions; looks again by itself while one is still to be confirmed.
 *
 * @param held what registration says that they hold.
 */
export function useSubscriptions(held: readonly HeldSubscription[]): List<Subscription> {
  const { notifications } = useServices();
  return useList(
    ['subscriptions'],
    (cursor) => bodyOf('notifications', notifications.GET('/v1/subscriptions', { params: { query: from(cursor) } })),
    (items) => ([...held, ...items].some(isPending) || (held.length > 0 && items.length === 0) ? LOOK_AGAIN : false),
  );
}

export function useSubscription(subscriptionId: string): UseQueryResult<Subscription> {
  const { notifications } = useServices();
  return useQuery({
    queryKey: ['subscription', subscriptionId],
    queryFn: () =>
      bodyOf(
        'notifications',
        notifications.GET('/v1/subscriptions/{subscription_id}', {
          params: { path: { subscription_id: subscriptionId } },
        }),
      ),
  });
}

export function useHistory(subscriptionId: string): List<HistoryEntry> {
  const { notifications } = useServices();
  return useList(['history', subscriptionId], (cursor) =>
    bodyOf(
      'notifications',
      notifications.GET('/v1/subscriptions/{subscription_id}/history', {
        params: { path: { subscription_id: subscriptionId }, query: { limit: 20, ...from(cursor) } },
      }),
    ),
  );
}
