import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { components } from './generated/metering';
import { from, type List, useList } from './pages';
import { bodyOf, useServices } from './services';

export type Endpoint = components['schemas']['Endpoint'];
export type EndpointWish = components['schemas']['EndpointWish'];
export type EndpointState = components['schemas']['EndpointState'];

/** The buyer's endpoints, the newest first. */
export function useEndpoints(state: EndpointState | 'all'): List<Endpoint> {
  const { metering } = useServices();
  return useList(['endpoints', state], (cursor) =>
    bodyOf(
      'metering',
      metering.GET('/v1/endpoints', {
        params: { query: { ...(state === 'all' ? {} : { state }), ...from(cursor) } },
      }),
    ),
  );
}

export function useCreateEndpoint() {
  const { metering } = useServices();
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (wish: EndpointWish) => bodyOf('metering', metering.POST('/v1/endpoints', { body: wish })),
    onSuccess: () => cache.invalidateQueries({ queryKey: ['endpoints'] }),
  });
}

export function useDeleteEndpoint() {
  const { metering } = useServices();
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (endpointId: string) =>
      bodyOf(
        'metering',
        metering.DELETE('/v1/endpoints/{endpoint_id}', { params: { path: { endpoint_id: endpointId } } }),
      ),
    onSuccess: () => cache.invalidateQueries({ queryKey: ['endpoints'] }),
  });
}
