import { QueryClient } from '@tanstack/react-query';
import { ServiceError } from './ServiceError';

const RETRIES = 2;

/** What is asked and kept for a short time. A call that may succeed later is made again; any other is not. */
export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 15_000,
        retry: (failures, error) => failures < RETRIES && error instanceof ServiceError && error.isPassing,
      },
    },
  });
}
