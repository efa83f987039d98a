import { useMutation, useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import type { components, operations } from '../../api/generated/notifications';
import { from, type List, readAll, useList } from '../../api/pages';
import { bodyOf, useServices } from '../../api/services';

export type Notification = components['schemas']['Notification'];
export type WholeNotification = components['schemas']['WholeNotification'];
export type NewsOutcome = components['schemas']['Outcome'];
export type NewsFilters = Omit<NonNullable<operations['list_notifications']['parameters']['query']>, 'limit' | 'cursor'>;

export function useNews(filters: NewsFilters): List<Notification> {
  const { notifications } = useServices();
  return useList(['operator', 'news', filters], (cursor) =>
    bodyOf('notifications', notifications.GET('/v1/notifications', { params: { query: { ...filters, ...from(cursor) } } })),
  );
}

/** All messages of AWS about one subscription. */
export function useNewsOf(subscriptionId: string): UseQueryResult<Notification[]> {
  const { notifications } = useServices();
  return useQuery({
    queryKey: ['operator', 'news-of', subscriptionId],
    queryFn: () =>
      readAll((cursor) =>
        bodyOf(
          'notifications',
          notifications.GET('/v1/notifications', { params: { query: { subscription_id: subscriptionId, limit: 100, ...from(cursor) } } }),
        ),
      ),
  });
}

export function useMessage(notificationId: string): UseQueryResult<WholeNotification> {
  const { notifications } = useServices();
  return useQuery({
    queryKey: ['operator', 'message', notificationId],
    queryFn: () =>
      bodyOf(
        'notifications',
        notifications.GET('/v1/notifications/{notification_id}', { params: { path: { notification_id: notificationId } } }),
      ),
  });
}

/** Takes a kept message once more. */
export function useReplayMessage(notificationId: string) {
  const { notifications } = useServices();
  const cache = useQueryClient();
  return useMutation({
    mutationFn: () =>
      bodyOf(
        'notifications',
        notifications.POST('/v1/notifications/{notification_id}/replay', { params: { path: { notification_id: notificationId } } }),
      ),
    onSuccess: () => cache.invalidateQueries({ queryKey: ['operator'] }),
  });
}
