import type { components as Metering } from '../../api/generated/metering';
import type { HistoryEntry, Subscription } from '../../api/subscriptions';
import type { Balance, MeteringRecord } from '../../api/usage';

/**
 * What an operator is told. The contracts let some properties be missing because buyers are not told of them;
 * to an operator none of those is missing.
 */
type Told<T, K extends keyof T> = T & Required<Pick<T, K>>;

export type RecordTold = Told<MeteringRecord, 'attempts' | 'reason' | 'resolution'>;
export type BalanceTold = Told<Balance, 'balanced' | 'reasons'>;
export type SubscriptionTold = Told<Subscription, 'changed_by'>;
export type EntryTold = Told<HistoryEntry, 'name' | 'notice' | 'notification_id'>;

type Explained = Metering['schemas']['ExplainedMeteringRecord'];
export type ExplainedTold = Told<Explained, 'sends'> & { metering_record: RecordTold };
