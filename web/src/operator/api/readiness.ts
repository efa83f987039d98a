import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import type { Service } from '../../api/ServiceError';
import { useServices } from '../../api/services';
import type { Readiness } from '../rules/alarms';

const EVERY = 30_000;

/** Whether each service can do its job, by its `/readyz`; asked again every half minute. */
export function useReadiness(): UseQueryResult<Readiness[]> {
  const { registration, notifications, metering } = useServices();
  return useQuery({
    queryKey: ['operator', 'readiness'],
    refetchInterval: EVERY,
    queryFn: () =>
      Promise.all([
        asked('registration', registration.GET('/readyz')),
        asked('notifications', notifications.GET('/readyz')),
        asked('metering', metering.GET('/readyz')),
      ]),
  });
}

/** An answer of 503 is an answer too: its `parts` say what is away. */
async function asked(service: Service, call: Promise<{ error?: unknown; response: Response }>): Promise<Readiness> {
  try {
    const { error, response } = await call;
    return { service, state: response.ok ? 'ready' : 'not_ready', away: response.ok ? [] : partsOf(error) };
  } catch {
    return { service, state: 'unreachable', away: [] };
  }
}

function partsOf(problem: unknown): string[] {
  if (typeof problem !== 'object' || problem === null || !('parts' in problem)) return [];
  const { parts } = problem;
  if (typeof parts !== 'object' || parts === null) return [];
  return Object.entries(parts).flatMap(([part, how]) => (how === 'ready' ? [] : [`${part}: ${String(how)}`]));
}
