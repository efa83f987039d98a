import { useMutation, useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import type { components } from '../../api/generated/notifications';
import { from, type List, useList } from '../../api/pages';
import { answerOf, bodyOf, useServices } from '../../api/services';

export type WebhookEndpoint = components['schemas']['WebhookEndpoint'];
export type WebhookEndpointWish = components['schemas']['WebhookEndpointWish'];
export type WebhookReplay = components['schemas']['WebhookReplay'];
export type WebhookReplayWish = components['schemas']['WebhookReplayWish'];
export type WebhookEventType = components['schemas']['WebhookEventType'];

const BEAT = 2_000;
const KEY = ['operator', 'webhooks'] as const;

export function useWebhooks(): List<WebhookEndpoint> {
  const { notifications } = useServices();
  return useList([...KEY, 'list'], (cursor) =>
    bodyOf('notifications', notifications.GET('/v1/webhook-endpoints', { params: { query: from(cursor) } })),
  );
}

/** An endpoint with its ETag, for a change that is made only to what was read. */
export function useWebhook(endpointId: string): UseQueryResult<{ body: WebhookEndpoint; etag: string | null }> {
  const { notifications } = useServices();
  return useQuery({
    queryKey: [...KEY, endpointId],
    queryFn: () =>
      answerOf('notifications', notifications.GET('/v1/webhook-endpoints/{endpoint_id}', { params: { path: { endpoint_id: endpointId } } })),
  });
}

/** Makes an endpoint. Its secret is in this answer and in no other, so the answer is not kept in the cache. */
export function useCreateWebhook() {
  const { notifications } = useServices();
  const cache = useQueryClient();
  return useMutation({
    gcTime: 0,
    mutationFn: (wish: WebhookEndpointWish) => bodyOf('notifications', notifications.POST('/v1/webhook-endpoints', { body: wish })),
    onSuccess: () => cache.invalidateQueries({ queryKey: KEY }),
  });
}

export function useSwitchWebhook(endpointId: string) {
  const { notifications } = useServices();
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({ enabled, etag }: { enabled: boolean; etag: string | null }) =>
      bodyOf(
        'notifications',
        notifications.PATCH('/v1/webhook-endpoints/{endpoint_id}', {
          params: { path: { endpoint_id: endpointId }, header: etag === null ? {} : { 'If-Match': etag } },
          body: { enabled },
        }),
      ),
    onSettled: () => cache.invalidateQueries({ queryKey: KEY }),
  });
}

export function useDeleteWebhook(endpointId: string) {
  const { notifications } = useServices();
  const cache = useQueryClient();
  return useMutation({
    mutationFn: () =>
      bodyOf('notifications', notifications.DELETE('/v1/webhook-endpoints/{endpoint_id}', { params: { path: { endpoint_id: endpointId } } })),
    onSuccess: () => cache.invalidateQueries({ queryKey: [...KEY, 'list'] }),
  });
}

/** Gives it a new secret, which is in this answer and in no other. */
export function useRotateSecret(endpointId: string) {
  const { notifications } = useServices();
  const cache = useQueryClient();
  return useMutation({
    gcTime: 0,
    mutationFn: (overlapSeconds: number) =>
      bodyOf(
        'notifications',
        notifications.POST('/v1/webhook-endpoints/{endpoint_id}/secrets', {
          params: { path: { endpoint_id: endpointId } },
          body: { overlap_seconds: overlapSeconds },
        }),
      ),
    onSuccess: () => cache.invalidateQueries({ queryKey: KEY }),
  });
}

/** Sends a test event; the answer is its delivery. */
export function useTestWebhook(endpointId: string) {
  const { notifications } = useServices();
  const cache = useQueryClient();
  return useMutation({
    mutationFn: () =>
      bodyOf('notifications', notifications.POST('/v1/webhook-endpoints/{endpoint_id}/test-events', { params: { path: { endpoint_id: endpointId } } })),
    onSuccess: () => cache.invalidateQueries({ queryKey: ['operator', 'deliveries'] }),
  });
}

export function useStartReplay(endpointId: string) {
  const { notifications } = useServices();
  return useMutation({
    mutationFn: (wish: WebhookReplayWish) =>
      bodyOf(
        'notifications',
        notifications.POST('/v1/webhook-endpoints/{endpoint_id}/replays', { params: { path: { endpoint_id: endpointId } }, body: wish }),
      ),
  });
}

/** How far a replay has come, read again while it runs. */
export function useReplay(endpointId: string, replayId: string): UseQueryResult<WebhookReplay> {
  const { notifications } = useServices();
  return useQuery({
    queryKey: ['operator', 'replay', endpointId, replayId],
    refetchInterval: (query) => (query.state.data === undefined || query.state.data.state === 'running' ? BEAT : false),
    queryFn: () =>
      bodyOf(
        'notifications',
        notifications.GET('/v1/webhook-endpoints/{endpoint_id}/replays/{replay_id}', {
          params: { path: { endpoint_id: endpointId, replay_id: replayId } },
        }),
      ),
  });
}
