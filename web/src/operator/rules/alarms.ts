import type { Tone } from '../../parts/Badge';
import { dayAndTime } from '../../rules/moments';
import { countSaid, type Count } from './counts';
import type { Glance } from './foresight';
import { type MeteringHealth, standingStill } from './lastRun';

/** A service's own answer whether it can do its job. */
export interface Readiness {
  readonly service: string;
  readonly state: 'ready' | 'not_ready' | 'unreachable';
  /** What it lacks, in its words. */
  readonly away: readonly string[];
}

/** What was found out; what could not be asked is null and raises no alarm of its own. */
export interface Findings {
  readonly readiness: readonly Readiness[] | null;
  readonly health: MeteringHealth | null;
  readonly glance: Glance | null;
  /** Records that wait for a person's decision. */
  readonly toDecide: Count | null;
  readonly stuckOutbox: Count | null;
  readonly deadLetters: number | null;
  readonly deadDeliveries: Count | null;
  /** Subscriptions whose ledger and records disagree, as far as balances were checked. */
  readonly imbalances: number | null;
}

export interface Alarm {
  readonly key: string;
  readonly tone: Extract<Tone, 'bad' | 'warn'>;
  readonly title: string;
  readonly detail: string;
  /** Where it is looked into. */
  readonly to: string | null;
}

/** From how many hours before its end a record that AWS has not answered is an alarm, and a loud one. */
const NEAR = 12;
const VERY_NEAR = 4;

/** What needs a person, the worst first. Each alarm comes from what a service answered. */
export function alarmsFrom(found: Findings): Alarm[] {
  const alarms = [
    ...(found.readiness ?? []).flatMap(ofReadiness),
    ...ofLastRun(found.health),
    ...several(found.health?.imbalances ?? null, 'audit', 'bad', 'Hours that the last audit found not to add up', 'Its log says which, and what to do about each.', null),
    ...several(found.imbalances, 'imbalance', 'bad', 'Books that do not balance', 'Ledger and metering records disagree. That is an error of ours.', null),
    ...ofNearest(found.glance),
    ...several(found.toDecide, 'to-decide', 'warn', 'Records to decide', 'AWS’s answer leaves them open; they are not billed until a person decides.', '/operator/metering/records/to-decide'),
    ...several(found.glance?.held.reduce((sum, one) => sum + one.hours, 0) ?? null, 'held', 'warn', 'Hours of held usage', 'They are in no record. Most are released by themselves; some need a decision.', '/operator/metering/held'),
    ...several(found.glance?.noFreeHour ?? null, 'no-free-hour', 'warn', 'Hours that find no free hour at AWS', 'AWS has a record for each hour that it still takes.', '/operator/metering/runs'),
    ...several(found.deadLetters, 'dead-letters', 'bad', 'Dead letters', 'Messages of AWS that could not be applied.', '/operator/news/dead-letters'),
    ...several(found.stuckOutbox, 'outbox', 'warn', 'Outbox items that are stuck', 'They have failed for three days or longer.', '/operator/outbox/stuck'),
    ...several(found.deadDeliveries, 'deliveries', 'warn', 'Webhook deliveries that were given up', 'A system of yours was not told of something.', '/operator/webhooks/deliveries/dead'),
  ];
  return [...alarms.filter((one) => one.tone === 'bad'), ...alarms.filter((one) => one.tone === 'warn')];
}

function ofReadiness({ service, state, away }: Readiness): Alarm[] {
  if (state === 'ready') return [];
  const title = state === 'unreachable' ? `The ${service} service cannot be reached` : `The ${service} service is not ready`;
  const detail = state === 'unreachable' ? 'This browser got no answer from it.' : (away.join('; ') || 'It does not say what it lacks.');
  return [{ key: `ready-${service}`, tone: 'bad', title, detail, to: null }];
}

function ofLastRun(health: MeteringHealth | null): Alarm[] {
  const standing = health === null ? [] : standingStill(health);
  if (health === null || standing.length === 0) return [];
  const since = health.all_ended_well_at;
  return [
    {
      key: 'standing-still',
      tone: 'bad',
      title: since === null ? 'Metering has never run to its end' : `Metering has not run to its end since ${dayAndTime(since)}`,
      detail: `Standing still: ${standing.join(', ')}. What was used since is perhaps not billed; AWS takes it for a day.`,
      to: null,
    },
  ];
}

function ofNearest(glance: Glance | null): Alarm[] {
  const nearest = glance?.nearest ?? null;
  if (nearest === null || nearest.hoursLeft >= NEAR) return [];
  const isOver = nearest.hoursLeft === 0;
  return [
    {
      key: 'window',
      tone: nearest.hoursLeft < VERY_NEAR ? 'bad' : 'warn',
      title: isOver ? 'A record’s time at AWS is over within the hour, or already' : `A record has ${nearest.hoursLeft} h left at AWS`,
      detail: 'It is frozen and AWS has not answered. When its time is over AWS takes it no more.',
      to: `/operator/metering/record/${encodeURIComponent(nearest.recordId)}`,
    },
  ];
}

function several(found: number | Count | null, key: string, tone: Alarm['tone'], name: string, detail: string, to: string | null): Alarm[] {
  if (found === null) return [];
  const count = typeof found === 'number' ? { number: found, isAll: true } : found;
  return count.number === 0 ? [] : [{ key, tone, title: `${name}: ${countSaid(count)}`, detail, to }];
}
