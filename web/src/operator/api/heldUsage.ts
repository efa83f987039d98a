import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { components } from '../../api/generated/metering';
import { from, type List, useList } from '../../api/pages';
import { bodyOf, useServices } from '../../api/services';

export type HeldUsage = components['schemas']['HeldUsage'];
export type HeldUsageWish = components['schemas']['HeldUsageWish'];
export type HeldUsageDecision = components['schemas']['HeldUsageDecision'];

export function useHeldUsage(): List<HeldUsage> {
  const { metering } = useServices();
  return useList(['operator', 'held-usage'], (cursor) =>
    bodyOf('metering', metering.GET('/v1/held-usage', { params: { query: { limit: 100, ...from(cursor) } } })),
  );
}

/** What persons have decided about it so far. */
export function useHeldDecisions(): List<HeldUsageDecision> {
  const { metering } = useServices();
  return useList(['operator', 'held-decisions'], (cursor) =>
    bodyOf('metering', metering.GET('/v1/held-usage/decisions', { params: { query: from(cursor) } })),
  );
}

export function useDecideHeld() {
  const { metering } = useServices();
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (wish: HeldUsageWish) => bodyOf('metering', metering.POST('/v1/held-usage/decisions', { body: wish })),
    onSuccess: () => cache.invalidateQueries({ queryKey: ['operator'] }),
  });
}
