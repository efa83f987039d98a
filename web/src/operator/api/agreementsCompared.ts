import { useMutation, useQuery, type UseQueryResult } from '@tanstack/react-query';
import type { components } from '../../api/generated/notifications';
import { from, type List, useList } from '../../api/pages';
import { bodyOf, useServices } from '../../api/services';

export type AgreementsCompared = components['schemas']['Reconciliation'];
export type AgreementDifference = components['schemas']['Difference'];

const BEAT = 2_000;

/** Begins to compare our subscriptions with AWS; where one is at work already, that one is answered. */
export function useCompareAgreements() {
  const { notifications } = useServices();
  return useMutation({ mutationFn: () => bodyOf('notifications', notifications.POST('/v1/reconciliations')) });
}

/** How far it has come, read again until it is finished. */
export function useAgreementsCompared(id: string): UseQueryResult<AgreementsCompared> {
  const { notifications } = useServices();
  return useQuery({
    queryKey: ['operator', 'agreements-compared', id],
    refetchInterval: (query) => (query.state.data?.state === 'finished' ? false : BEAT),
    queryFn: () =>
      bodyOf('notifications', notifications.GET('/v1/reconciliations/{reconciliation_id}', { params: { path: { reconciliation_id: id } } })),
  });
}

/** @param found how many there are so far: more make the list be read anew. */
export function useAgreementDifferences(id: string, found: number): List<AgreementDifference> {
  const { notifications } = useServices();
  return useList(['operator', 'agreement-differences', id, found], (cursor) =>
    bodyOf(
      'notifications',
      notifications.GET('/v1/reconciliations/{reconciliation_id}/differences', {
        params: { path: { reconciliation_id: id }, query: from(cursor) },
      }),
    ),
  );
}
