import { useMutation, useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import type { components } from '../../api/generated/metering';
import { from, type List, useList } from '../../api/pages';
import { bodyOf, useServices } from '../../api/services';

export type BillsCompared = components['schemas']['Reconciliation'];
export type BillDifference = components['schemas']['Difference'];

export function useBillsComparedList(): List<BillsCompared> {
  const { metering } = useServices();
  return useList(['operator', 'bills-compared'], (cursor) =>
    bodyOf('metering', metering.GET('/v1/reconciliations', { params: { query: from(cursor) } })),
  );
}

export function useBillsCompared(id: string): UseQueryResult<BillsCompared> {
  const { metering } = useServices();
  return useQuery({
    queryKey: ['operator', 'bills-compared', id],
    queryFn: () =>
      bodyOf('metering', metering.GET('/v1/reconciliations/{reconciliation_id}', { params: { path: { reconciliation_id: id } } })),
  });
}

export function useBillDifferences(id: string): List<BillDifference> {
  const { metering } = useServices();
  return useList(['operator', 'bill-differences', id], (cursor) =>
    bodyOf(
      'metering',
      metering.GET('/v1/reconciliations/{reconciliation_id}/differences', {
        params: { path: { reconciliation_id: id }, query: from(cursor) },
      }),
    ),
  );
}

export interface FileOfAws {
  readonly file: Blob;
  readonly type: 'application/json' | 'text/csv';
  /** From when until when the file holds all calls, where the sender says so. */
  readonly complete: { readonly complete_from: string; readonly complete_until: string } | null;
}

/** Compares our books with a file of AWS's, sent as it is. */
export function useCompareBills() {
  const { metering } = useServices();
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({ file, type, complete }: FileOfAws) =>
      bodyOf(
        'metering',
        metering.POST('/v1/reconciliations', {
          params: { query: complete ?? {} },
          headers: { 'Content-Type': type },
          // The file goes as it lies on the disk; it is the service that reads it.
          body: file as unknown as string,
          bodySerializer: (body: unknown) => body as Blob,
        }),
      ),
    onSuccess: () => cache.invalidateQueries({ queryKey: ['operator'] }),
  });
}
