import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { bodyOf, useServices } from '../../api/services';
import type { MeteringHealth } from '../rules/lastRun';

const EVERY = 30_000;

/** When metering last ran; asked again every half minute. */
export function useMeteringHealth(): UseQueryResult<MeteringHealth> {
  const { metering } = useServices();
  return useQuery({
    queryKey: ['operator', 'metering-health'],
    refetchInterval: EVERY,
    queryFn: () => bodyOf('metering', metering.GET('/v1/metering-health')),
  });
}
