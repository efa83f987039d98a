import { microsFrom, readable, sum } from '../../rules/quantities';
import { type Said } from '../../rules/words';
import { dimensionTitle } from '../../rules/words';
import { newsAt, recordAt } from '../addresses';
import { changeLines } from './changeLines';
import { counted } from './counts';
import { decisionSaid, type Decision } from './decisions';
import { newsMeaning, newsSaid, recordMeaning, recordSaid } from './words';

export type Kind = 'state' | 'news' | 'registration' | 'usage' | 'bill';

export const KINDS: readonly { readonly value: Kind; readonly text: string }[] = [
  { value: 'state', text: 'State and notices' },
  { value: 'news', text: 'Other news of AWS' },
  { value: 'registration', text: 'Registration' },
  { value: 'usage', text: 'Usage by day' },
  { value: 'bill', text: 'Metering records' },
];

/** One thing that happened to a subscription. */
export interface Happening {
  readonly key: string;
  readonly kind: Kind;
  /** When, in RFC 3339; of a day its last second. */
  readonly at: string;
  /** Whether `at` stands for a whole day. */
  readonly isDay: boolean;
  readonly title: string;
  readonly lines: readonly string[];
  readonly badge: Said | null;
  readonly to: { readonly address: string; readonly text: string } | null;
}

interface Entry {
  readonly version: number;
  readonly recorded_at: string;
  readonly cause: 'notification' | 'answer' | 'time';
  readonly notification_id: string | null;
  readonly name: string | null;
  readonly event_time: string | null;
  readonly changes: Parameters<typeof changeLines>[0];
  readonly notice: Readonly<Record<string, string>> | null;
}

interface News {
  readonly notification_id: string;
  readonly name: string;
  readonly event_time: string;
  readonly outcome: Parameters<typeof newsSaid>[0];
}

interface Claim {
  readonly claimed_at: string;
  readonly who: string;
}

interface Day {
  readonly dimension: string;
  readonly hour: string;
  readonly day?: string;
  readonly quantity: string;
  readonly corrections?: string;
  readonly conflicting_events: number;
}

interface Bill {
  readonly metering_record_id: string;
  readonly dimension: string;
  readonly hour: string;
  readonly quantity: string;
  readonly outcome: Parameters<typeof recordSaid>[0];
  readonly created_at: string;
  readonly settled_at: string | null;
  readonly resolution: { readonly decision: Decision; readonly reason: string; readonly by: string; readonly at: string } | null;
}

/** What each source has told so far; a source that has not answered is an empty list. */
export interface Sources {
  readonly history: readonly Entry[];
  readonly news: readonly News[];
  readonly claims: readonly Claim[];
  readonly days: readonly Day[];
  readonly bills: readonly Bill[];
}

/** A subscription's life from all sources, the newest first. News that made an entry of the history is told by that entry. */
export function timeline(sources: Sources): Happening[] {
  const told = new Set(sources.history.map((one) => one.notification_id));
  return [
    ...sources.history.map(ofEntry),
    ...sources.news.filter((one) => !told.has(one.notification_id)).map(ofNews),
    ...sources.claims.map(ofClaim),
    ...sources.days.map(ofDay),
    ...ofBills(sources.bills),
  ].sort(newestFirst);
}

/** The same under the days on which it happened, which are UTC's. */
export function underDays(happenings: readonly Happening[]): { readonly day: string; readonly happenings: readonly Happening[] }[] {
  const days = new Map<string, Happening[]>();
  for (const one of happenings) {
    const day = new Date(one.at).toISOString().slice(0, 10);
    const others = days.get(day);
    if (others === undefined) days.set(day, [one]);
    else others.push(one);
  }
  return [...days].map(([day, of]) => ({ day, happenings: of }));
}

const CAUSES: Readonly<Record<Entry['cause'], string>> = {
  notification: 'News of AWS',
  answer: 'AWS was asked, and answered',
  time: 'Its last hour was over',
};

function ofEntry(entry: Entry, index: number): Happening {
  const noticed = Object.entries(entry.notice ?? {}).map(([name, value]) => `${name}: ${value}`);
  return {
    key: `history-${entry.version}-${index}`,
    kind: 'state',
    at: entry.event_time ?? entry.recorded_at,
    isDay: false,
    title: entry.name ?? CAUSES[entry.cause],
    lines: [...changeLines(entry.changes), ...noticed],
    badge: entry.notice === null ? null : { tone: 'warn', children: 'Notice' },
    to: entry.notification_id === null ? null : { address: newsAt(entry.notification_id), text: 'Message' },
  };
}

function ofNews(news: News): Happening {
  return {
    key: `news-${news.notification_id}`,
    kind: 'news',
    at: news.event_time,
    isDay: false,
    title: news.name,
    lines: [newsMeaning(news.outcome)],
    badge: newsSaid(news.outcome),
    to: { address: newsAt(news.notification_id), text: 'Message' },
  };
}

function ofClaim(claim: Claim): Happening {
  return { key: `claim-${claim.claimed_at}`, kind: 'registration', at: claim.claimed_at, isDay: false, title: 'Registered', lines: [`by ${claim.who}`], badge: null, to: null };
}

function ofDay(day: Day): Happening {
  const date = day.day ?? day.hour.slice(0, 10);
  const corrections = day.corrections === undefined ? [] : [`${readable(microsFrom(day.corrections))} of it taken back by corrections`];
  const conflicts = day.conflicting_events === 0 ? [] : [`${counted(day.conflicting_events, 'event')} came again with another content; the first one counts`];
  return {
    key: `usage-${date}-${day.dimension}`,
    kind: 'usage',
    at: `${date}T23:59:59Z`,
    isDay: true,
    title: `Used ${readable(microsFrom(day.quantity))} ${dimensionTitle(day.dimension)}`,
    lines: [...corrections, ...conflicts],
    badge: null,
    to: null,
  };
}

/** What is billed, a line for each day and dimension; all other records by themselves, and each decision about them. */
function ofBills(bills: readonly Bill[]): Happening[] {
  const billed = new Map<string, Bill[]>();
  const others: Happening[] = [];
  for (const bill of bills) {
    if (bill.outcome === 'billed') {
      const key = `${bill.hour.slice(0, 10)}-${bill.dimension}`;
      billed.set(key, [...(billed.get(key) ?? []), bill]);
    } else others.push(ofBill(bill));
    if (bill.resolution !== null) others.push(ofDecision(bill, bill.resolution));
  }
  return [...[...billed].map(([key, group]) => ofBilled(key, group)), ...others];
}

function ofBilled(key: string, bills: readonly Bill[]): Happening {
  const [first] = bills;
  const quantity = readable(sum(bills.map((one) => microsFrom(one.quantity))));
  const at = bills.map((one) => one.settled_at ?? one.created_at).reduce((latest, one) => (Date.parse(one) > Date.parse(latest) ? one : latest));
  return {
    key: `billed-${key}`,
    kind: 'bill',
    at,
    isDay: false,
    title: `Billed ${quantity} ${dimensionTitle(first?.dimension ?? '')}`,
    lines: [`${counted(bills.length, 'hour')} of ${key.slice(0, 10)}`],
    badge: null, // the title says it
    to: bills.length === 1 && first !== undefined ? { address: recordAt(first.metering_record_id), text: 'Record' } : null,
  };
}

function ofBill(bill: Bill): Happening {
  return {
    key: `record-${bill.metering_record_id}`,
    kind: 'bill',
    at: bill.settled_at ?? bill.created_at,
    isDay: false,
    title: `${readable(microsFrom(bill.quantity))} ${dimensionTitle(bill.dimension)} for ${bill.hour.slice(0, 13).replace('T', ', ')}:00`,
    lines: [recordMeaning(bill.outcome)],
    badge: recordSaid(bill.outcome),
    to: { address: recordAt(bill.metering_record_id), text: 'Record' },
  };
}

function ofDecision(bill: Bill, resolution: NonNullable<Bill['resolution']>): Happening {
  return {
    key: `decision-${bill.metering_record_id}`,
    kind: 'bill',
    at: resolution.at,
    isDay: false,
    title: `Decided: ${decisionSaid(resolution.decision).text.toLowerCase()}`,
    lines: [resolution.reason, `by ${resolution.by}`],
    badge: null,
    to: { address: recordAt(bill.metering_record_id), text: 'Record' },
  };
}

function newestFirst(a: Happening, b: Happening): number {
  return Date.parse(b.at) - Date.parse(a.at);
}
