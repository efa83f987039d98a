import { useMutation, useQuery, type UseQueryResult } from '@tanstack/react-query';
import type { components } from '../../api/generated/metering';
import { bodyOf, useServices } from '../../api/services';
import type { RecordTold } from './told';

export type Foresight = components['schemas']['MeteringForesight'] & { due: RecordTold[] };
export type Run = components['schemas']['MeteringRun'];

const BEAT = 2_000;

/** A run of one subscription, or of all. */
function of(subscriptionId: string | null): { subscription_id?: string } {
  return subscriptionId === null ? {} : { subscription_id: subscriptionId };
}

/** What AWS would be told now, and why not the rest. Nothing is written and nothing sent by asking. */
export function useForesight(subscriptionId: string | null, enabled = true): UseQueryResult<Foresight> {
  const { metering } = useServices();
  return useQuery({
    queryKey: ['operator', 'foresight', subscriptionId],
    enabled,
    refetchOnWindowFocus: false,
    queryFn: async () => {
      const answer = await bodyOf(
        'metering',
        metering.POST('/v1/metering-runs', { body: { mode: 'dry_run', ...of(subscriptionId) } }),
      );
      if (!('as_of' in answer)) throw new Error('A dry run was answered as a run.');
      return answer as Foresight;
    },
  });
}

/** Asks a worker to go through the cycle now; the answer names the run. */
export function useStartRun() {
  const { metering } = useServices();
  return useMutation({
    mutationFn: async (subscriptionId: string | null) => {
      const answer = await bodyOf(
        'metering',
        metering.POST('/v1/metering-runs', { body: { mode: 'send', ...of(subscriptionId) } }),
      );
      if (!('metering_run_id' in answer)) throw new Error('A run was answered as a dry run.');
      return answer;
    },
  });
}

/** A run, read again until it is finished. */
export function useRun(runId: string): UseQueryResult<Run> {
  const { metering } = useServices();
  return useQuery({
    queryKey: ['operator', 'run', runId],
    refetchInterval: (query) => (query.state.data?.state === 'finished' ? false : BEAT),
    queryFn: () =>
      bodyOf(
        'metering',
        metering.GET('/v1/metering-runs/{metering_run_id}', { params: { path: { metering_run_id: runId } } }),
      ),
  });
}
