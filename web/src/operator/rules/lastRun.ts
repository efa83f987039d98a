import type { components } from '../../api/generated/metering';

export type MeteringHealth = components['schemas']['MeteringHealth'];
export type Step = MeteringHealth['steps'][number]['step'];

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long a step may go without ending well before a person is to hear of it. A cycle takes seconds. */
const LONGEST_STAND = 30 * MINUTE;

/** The steps that have not ended well for half an hour, or never. */
export function standingStill(health: MeteringHealth): Step[] {
  return health.steps.filter(({ ended_well_at }) => ended_well_at === null || between(ended_well_at, health.as_of) > LONGEST_STAND).map(({ step }) => step);
}

/** How long ago a moment was: `5 s ago`, `12 min ago`, `3 h ago`, `2 d ago`; `never` where there was none. */
export function ago(moment: string | null, asOf: string): string {
  if (moment === null) return 'never';
  const passed = Math.max(0, between(moment, asOf));
  if (passed < MINUTE) return `${Math.floor(passed / SECOND)} s ago`;
  if (passed < HOUR) return `${Math.floor(passed / MINUTE)} min ago`;
  if (passed < 2 * DAY) return `${Math.floor(passed / HOUR)} h ago`;
  return `${Math.floor(passed / DAY)} d ago`;
}

function between(earlier: string, later: string): number {
  return Date.parse(later) - Date.parse(earlier);
}
