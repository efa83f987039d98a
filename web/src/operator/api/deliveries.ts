import { useMutation, useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import type { components, operations } from '../../api/generated/notifications';
import { from, type List, useList } from '../../api/pages';
import { bodyOf, useServices } from '../../api/services';
import { type Gathered, gather } from './gather';

export type Delivery = components['schemas']['WebhookDelivery'];
export type WholeDelivery = components['schemas']['WholeWebhookDelivery'];
export type DeliveryState = components['schemas']['WebhookDeliveryState'];
export type DeliveryFilters = Omit<
  NonNullable<operations['webhooks.list_deliveries']['parameters']['query']>,
  'limit' | 'cursor'
>;

const BEAT = 2_000;

export function useDeliveries(filters: DeliveryFilters): List<Delivery> {
  const { notifications } = useServices();
  return useList(['operator', 'deliveries', filters], (cursor) =>
    bodyOf('notifications', notifications.GET('/v1/webhook-deliveries', { params: { query: { ...filters, ...from(cursor) } } })),
  );
}

/** Deliveries that were given up, as far as a page goes. */
export function useDeadDeliveries(): UseQueryResult<Gathered<Delivery>> {
  const { notifications } = useServices();
  return useQuery({
    queryKey: ['operator', 'deliveries', 'dead-glance'],
    queryFn: () =>
      gather(
        (next) => bodyOf('notifications', notifications.GET('/v1/webhook-deliveries', { params: { query: { state: 'dead', limit: 100, ...next } } })),
        1,
      ),
  });
}

/** One delivery with its attempts, read again while it is under way and has not been tried. */
export function useDelivery(deliveryId: string): UseQueryResult<WholeDelivery> {
  const { notifications } = useServices();
  return useQuery({
    queryKey: ['operator', 'delivery', deliveryId],
    refetchInterval: (query) => (query.state.data?.state === 'pending' && query.state.data.tries === 0 ? BEAT : false),
    queryFn: () =>
      bodyOf('notifications', notifications.GET('/v1/webhook-deliveries/{delivery_id}', { params: { path: { delivery_id: deliveryId } } })),
  });
}

export function useRedeliver() {
  const { notifications } = useServices();
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (deliveryId: string) =>
      bodyOf('notifications', notifications.POST('/v1/webhook-deliveries/{delivery_id}/redeliver', { params: { path: { delivery_id: deliveryId } } })),
    onSuccess: (delivery) => {
      cache.setQueryData(['operator', 'delivery', delivery.delivery_id], delivery);
      return cache.invalidateQueries({ queryKey: ['operator', 'deliveries'] });
    },
  });
}
