import { useMutation, useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import type { components } from '../../api/generated/notifications';
import { bodyOf, useServices } from '../../api/services';

export type DeadLetter = components['schemas']['DeadLetter'];
export type DeadLetters = components['schemas']['DeadLetters'];
export type Redrive = components['schemas']['Redrive'];

/**
 * Messages that could not be applied.
 *
 * @param limit how many to look at. While one caller looks, another may see fewer: a glance asks for one.
 */
export function useDeadLetters(limit: number): UseQueryResult<DeadLetters> {
  const { notifications } = useServices();
  return useQuery({
    queryKey: ['operator', 'dead-letters', limit],
    refetchOnWindowFocus: false,
    queryFn: () => bodyOf('notifications', notifications.GET('/v1/dead-letters', { params: { query: { limit } } })),
  });
}

export function useRedrive() {
  const { notifications } = useServices();
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (wish: Redrive) => bodyOf('notifications', notifications.POST('/v1/dead-letters/redrive', { body: wish })),
    onSuccess: () => cache.invalidateQueries({ queryKey: ['operator', 'dead-letters'] }),
  });
}
