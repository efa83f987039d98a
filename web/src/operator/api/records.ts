import { useMutation, useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import type { components } from '../../api/generated/metering';
import { from, type List, useList } from '../../api/pages';
import { bodyOf, useServices } from '../../api/services';
import { type OpenOutcome, OPEN_OUTCOMES } from '../rules/decisions';
import { type Gathered, gather } from './gather';
import type { ExplainedTold, RecordTold } from './told';

export type Outcome = components['schemas']['Outcome'];
export type Decision = components['schemas']['Decision'];
export type LoggedEvent = components['schemas']['LoggedEvent'];

const MOST = 100;
interface PageTold {
  items: RecordTold[];
  next_cursor: string | null;
}
/** How many pages of each outcome a glance reads. */
const GLANCE = 5;

export function useRecords(outcome: Outcome | null, subscriptionId: string | null): List<RecordTold> {
  const { metering } = useServices();
  const filters = {
    ...(outcome === null ? {} : { outcome }),
    ...(subscriptionId === null ? {} : { subscription_id: subscriptionId }),
  };
  return useList(['operator', 'records', filters], (cursor) =>
    bodyOf('metering', metering.GET('/v1/metering-records', { params: { query: { ...filters, limit: MOST, ...from(cursor) } } })) as Promise<PageTold>,
  );
}

/** The records whose answer leaves something open, by outcome, as far as a few pages go. */
export function useOpenRecords(): UseQueryResult<Record<OpenOutcome, Gathered<RecordTold>>> {
  const { metering } = useServices();
  return useQuery({
    queryKey: ['operator', 'open-records'],
    queryFn: async () => {
      const read = async (outcome: OpenOutcome) =>
        [
          outcome,
          await gather(
            (next) => bodyOf('metering', metering.GET('/v1/metering-records', { params: { query: { outcome, limit: MOST, ...next } } })) as Promise<PageTold>,
            GLANCE,
          ),
        ] as const;
      return Object.fromEntries(await Promise.all(OPEN_OUTCOMES.map(read))) as Record<OpenOutcome, Gathered<RecordTold>>;
    },
  });
}

/** One record: what was frozen, and every sending with AWS's answer. */
export function useRecord(recordId: string): UseQueryResult<ExplainedTold> {
  const { metering } = useServices();
  return useQuery({
    queryKey: ['operator', 'record', recordId],
    queryFn: () =>
      bodyOf(
        'metering',
        metering.GET('/v1/metering-records/{metering_record_id}', { params: { path: { metering_record_id: recordId } } }),
      ) as Promise<ExplainedTold>,
  });
}

/** The usage events that a record comes from. */
export function useRecordEvents(recordId: string): List<LoggedEvent> {
  const { metering } = useServices();
  return useList(['operator', 'record-events', recordId], (cursor) =>
    bodyOf(
      'metering',
      metering.GET('/v1/metering-records/{metering_record_id}/usage-events', {
        params: { path: { metering_record_id: recordId }, query: from(cursor) },
      }),
    ),
  );
}

/** Writes what a person decided about a record. */
export function useResolve(recordId: string) {
  const { metering } = useServices();
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (wish: { decision: Decision; reason: string }) =>
      bodyOf(
        'metering',
        metering.PUT('/v1/metering-records/{metering_record_id}/resolution', {
          params: { path: { metering_record_id: recordId } },
          body: wish,
        }),
      ),
    onSuccess: () => cache.invalidateQueries({ queryKey: ['operator'] }),
  });
}
