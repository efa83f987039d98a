import { useMutation, useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import type { components } from '../../api/generated/registration';
import { from, type List, useList } from '../../api/pages';
import { bodyOf, useServices } from '../../api/services';
import { type Gathered, gather } from './gather';

export type OutboxItem = components['schemas']['OutboxItem'];
export type OutboxState = components['schemas']['OutboxState'];

const SOME_PAGES = 10;

/** What is still to be done elsewhere. */
export function useOutbox(state: OutboxState | null): List<OutboxItem> {
  const { registration } = useServices();
  return useList(['operator', 'outbox', state], (cursor) =>
    bodyOf(
      'registration',
      registration.GET('/v1/outbox-items', { params: { query: { ...(state === null ? {} : { state }), ...from(cursor) } } }),
    ),
  );
}

/** The same, as far as a few pages go: the contract has no filter by customer. */
export function useSomeOfOutbox(state: OutboxState | null): UseQueryResult<Gathered<OutboxItem>> {
  const { registration } = useServices();
  return useQuery({
    queryKey: ['operator', 'outbox', 'some', state],
    queryFn: () =>
      gather(
        (next) =>
          bodyOf(
            'registration',
            registration.GET('/v1/outbox-items', { params: { query: { ...(state === null ? {} : { state }), limit: 100, ...next } } }),
          ),
        SOME_PAGES,
      ),
  });
}

export function useRetryOutbox() {
  const { registration } = useServices();
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (outboxId: string) =>
      bodyOf('registration', registration.POST('/v1/outbox-items/{outbox_id}/retry', { params: { path: { outbox_id: outboxId } } })),
    // Not waited for: what was done is said at once, also where the item is gone by then.
    onSuccess: () => void cache.invalidateQueries({ queryKey: ['operator', 'outbox'] }),
  });
}
