import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import type { Span } from '../rules/months';
import type { components } from './generated/metering';
import { from, type List, readAll, useList } from './pages';
import { bodyOf, useServices } from './services';

export type HourOfUsage = components['schemas']['HourOfUsage'];
export type Balance = components['schemas']['Balance'];
export type MeteringRecord = components['schemas']['MeteringRecord'];

const MOST = 100; // what one page may hold

/** What a subscription used in a span of time, by the hour or by the day, with its tags. */
export function useUsage(subscriptionId: string, span: Span, by: 'hour' | 'day'): UseQueryResult<HourOfUsage[]> {
  const { metering } = useServices();
  return useQuery({
    queryKey: ['usage', subscriptionId, span.from, span.until, by],
    queryFn: () =>
      readAll((cursor) =>
        bodyOf(
          'metering',
          metering.GET('/v1/usage', {
            params: { query: { subscription_id: subscriptionId, ...span, by, tags: true, limit: MOST, ...from(cursor) } },
          }),
        ),
      ),
  });
}

/** Where every accepted unit of a subscription is now, by dimension. */
export function useBalance(subscriptionId: string): UseQueryResult<Balance[]> {
  const { metering } = useServices();
  return useQuery({
    queryKey: ['balance', subscriptionId],
    queryFn: async () => {
      const answer = await bodyOf(
        'metering',
        metering.GET('/v1/balance', { params: { query: { subscription_id: subscriptionId } } }),
      );
      return answer.dimensions;
    },
  });
}

/** The same of what named a customer and no subscription. */
export function useCustomerBalance(customerId: string, productCode: string): UseQueryResult<Balance[]> {
  const { metering } = useServices();
  return useQuery({
    queryKey: ['customer-balance', customerId, productCode],
    queryFn: async () => {
      const answer = await bodyOf(
        'metering',
        metering.GET('/v1/customer-balance', {
          params: { query: { customer_id: customerId, product_code: productCode } },
        }),
      );
      return answer.dimensions;
    },
  });
}

export function useMeteringRecords(subscriptionId: string): List<MeteringRecord> {
  const { metering } = useServices();
  return useList(['metering-records', subscriptionId], (cursor) =>
    bodyOf(
      'metering',
      metering.GET('/v1/metering-records', {
        params: { query: { subscription_id: subscriptionId, ...from(cursor) } },
      }),
    ),
  );
}
