import { useQueryClient } from '@tanstack/react-query';
import { Link } from 'wouter';
import { Page } from '../../parts/Page';
import { Trouble } from '../../parts/Trouble';
import { Loading } from '../../parts/Loading';
import { dayAndTime } from '../../rules/moments';
import { recordsAt } from '../addresses';
import { useDeadDeliveries } from '../api/deliveries';
import { useDeadLetters } from '../api/deadLetters';
import { useSomeOfOutbox } from '../api/outbox';
import { useMeteringHealth } from '../api/meteringHealth';
import { useReadiness } from '../api/readiness';
import { useOpenRecords } from '../api/records';
import { useForesight } from '../api/runs';
import { useBalanceCheck } from '../api/balances';
import { MeteringNav } from '../parts/areas';
import { Work } from '../parts/Work';
import { alarmsFrom } from '../rules/alarms';
import { type Count, counted, countSaid, together } from '../rules/counts';
import { isToDecide, OPEN_OUTCOMES } from '../rules/decisions';
import { type Glance, glanceAt } from '../rules/foresight';
import { ago, type MeteringHealth } from '../rules/lastRun';
import { reasonSaid, recordSaid } from '../rules/words';
import { AlarmList } from './AlarmList';
import { BalanceCheck } from './BalanceCheck';
import { type Tile, Tiles } from './Tiles';

/** How metering is, at a glance: what needs a person, and where hours and records stand. */
export function HealthPage() {
  const cache = useQueryClient();
  const readiness = useReadiness();
  const health = useMeteringHealth();
  const foresight = useForesight(null);
  const open = useOpenRecords();
  const outbox = useSomeOfOutbox('stuck');
  const letters = useDeadLetters(1);
  const deliveries = useDeadDeliveries();
  const { check, progress } = useBalanceCheck();

  const glance = foresight.data === undefined ? null : glanceAt(foresight.data);
  const toDecide = open.data === undefined ? null : OPEN_OUTCOMES.map((outcome) => [outcome, countOf(open.data[outcome].items.filter(isToDecide), open.data[outcome].isAll)] as const);
  const alarms = alarmsFrom({
    readiness: readiness.data ?? null,
    health: health.data ?? null,
    glance,
    toDecide: toDecide === null ? null : together(toDecide.map(([, count]) => count)),
    stuckOutbox: outbox.data === undefined ? null : countOf(outbox.data.items, outbox.data.isAll),
    deadLetters: letters.data?.about ?? null,
    deadDeliveries: deliveries.data === undefined ? null : countOf(deliveries.data.items, deliveries.data.isAll),
    imbalances: progress?.found.length ?? null,
  });
  const asked = [readiness, health, foresight, open, outbox, letters, deliveries];
  const isLoading = asked.some((one) => one.isPending);
  const isFetching = asked.some((one) => one.isFetching);

  return (
    <Page
      title="Metering health"
      lead={glance === null ? 'What needs a person, and where hours and records stand.' : `As of ${dayAndTime(glance.asOf)}, by the rules of the next cycle.`}
      actions={<Work quiet busy={isFetching} saying="Asking …" onDo={() => void cache.refetchQueries({ queryKey: ['operator'], type: 'active' })}>Ask again</Work>}
    >
      <MeteringNav />
      <section className="section" aria-labelledby="alarms">
        <h2 id="alarms">What needs you</h2>
        {isLoading ? <Loading what="Asking the services" /> : null}
        <AlarmList alarms={alarms} isWhole={!isLoading && asked.every((one) => one.error === null)} />
        {asked.map((one, index) => (one.error === null ? null : <Trouble key={index} error={one.error} retry={() => void one.refetch()} />))}
      </section>
      {health.data === undefined ? null : (
        <section className="section" aria-labelledby="ran">
          <h2 id="ran">Last run</h2>
          <Tiles tiles={tilesOfRun(health.data)} />
        </section>
      )}
      {glance === null ? null : (
        <section className="section" aria-labelledby="hours">
          <div className="card-head">
            <h2 id="hours">Hours on their way</h2>
            <Link href="/operator/metering/runs">Each of them, and run now</Link>
          </div>
          <p className="soft">Each number counts hours of one subscription and dimension that are not billed yet{glance.isMore ? '; there are more than the dry run names, so each is a least number' : ''}.</p>
          <Tiles tiles={tilesOf(glance)} />
        </section>
      )}
      {toDecide === null ? null : (
        <section className="section" aria-labelledby="records">
          <div className="card-head">
            <h2 id="records">Records to decide, by outcome</h2>
            <Link href={recordsAt('to-decide')}>Decide</Link>
          </div>
          <Tiles tiles={toDecide.map(([outcome, count]) => ({ name: recordSaid(outcome).children, value: countSaid(count), note: null, to: recordsAt(outcome) }))} />
        </section>
      )}
      {glance === null || glance.held.length === 0 ? null : (
        <section className="section" aria-labelledby="held">
          <div className="card-head">
            <h2 id="held">Held usage, by reason</h2>
            <Link href="/operator/metering/held">Look and decide</Link>
          </div>
          <Tiles tiles={glance.held.map(({ reason, hours }) => ({ name: reasonSaid(reason), value: String(hours), note: hours === 1 ? 'hour' : 'hours', to: null }))} />
        </section>
      )}
      <BalanceCheck check={check} progress={progress} />
      {readiness.data === undefined ? null : (
        <section className="section" aria-labelledby="services">
          <h2 id="services">Services</h2>
          <Tiles
            tiles={readiness.data.map(({ service, state, away }) => ({
              name: service.charAt(0).toUpperCase() + service.slice(1),
              value: { ready: 'Ready', not_ready: 'Not ready', unreachable: 'No answer' }[state],
              note: away.join('; ') || null,
              to: null,
            }))}
          />
        </section>
      )}
    </Page>
  );
}

function countOf(items: readonly unknown[], isAll: boolean): Count {
  return { number: items.length, isAll };
}

function tilesOfRun({ as_of, all_ended_well_at, audited_at, imbalances }: MeteringHealth): Tile[] {
  const tile = (name: string, moment: string | null, note: string): Tile => ({ name, value: ago(moment, as_of), note: moment === null ? null : `${dayAndTime(moment)}${note}`, to: null });
  return [
    tile('All steps ended well', all_ended_well_at, ''),
    tile('Books audited', audited_at, imbalances === null ? '' : `; ${counted(imbalances, 'hour')} that ${imbalances === 1 ? 'does' : 'do'} not add up`),
  ];
}

function tilesOf(glance: Glance): Tile[] {
  const tile = (name: string, value: number, note: string, to: string | null = null): Tile => ({ name, value: String(value), note, to });
  return [
    tile('Running', glance.running, 'The hour is not over'),
    tile('Over, not sealed', glance.notSealed, 'Late events may still come'),
    tile('Sealed', glance.ready, 'Records that go out next'),
    tile('Sent, no answer', glance.due, 'Frozen, and sent until AWS answers', recordsAt('planned')),
    tile('No free hour', glance.noFreeHour, 'AWS has a record for each hour that it takes'),
  ];
}
