import { useState } from 'react';
import { type HourOfUsage, useUsage } from '../api/usage';
import { BarChart, SlotTable } from '../parts/BarChart';
import { Choice } from '../parts/Choice';
import { Loading } from '../parts/Loading';
import { ShareBars } from '../parts/ShareBars';
import { Sparkline } from '../parts/Sparkline';
import { Trouble } from '../parts/Trouble';
import { daysOf, hoursOf, spanOfDay } from '../rules/months';
import { day, shortDay } from '../rules/moments';
import { readable } from '../rules/quantities';
import { bySlot, byTag, dimensionsOf, lastDayUsed, ofDimension, tagKeysOf, total, type Used } from '../rules/usageGrouping';
import { dimensionTitle } from '../rules/words';

interface UsageChartsProps {
  subscriptionId: string;
  month: string;
  /** The month by days; not empty. */
  usage: HourOfUsage[];
}

/** A month of usage: by dimension, and of one dimension by day, by hour of a day, and by tag. */
export function UsageCharts({ subscriptionId, month, usage }: UsageChartsProps) {
  const dimensions = dimensionsOf(usage);
  const [dimension, setDimension] = useState(dimensions[0] ?? '');
  const [chosenDay, setDay] = useState<string | null>(null);
  const title = dimensionTitle(dimension);
  const days = bySlot(ofDimension(usage, dimension), daysOf(month));
  const shownDay = chosenDay ?? lastDayUsed(days) ?? `${month}-01`;
  return (
    <>
      <section className="section" aria-labelledby="by-dimension">
        <h2 id="by-dimension">By dimension</h2>
        <ul className="figures">
          {dimensions.map((one) => (
            <li key={one}>
              <button type="button" className="card figure" aria-pressed={one === dimension} onClick={() => setDimension(one)}>
                <span className="figure-name">{dimensionTitle(one)}</span>
                <span className="figure-value">{readable(total(ofDimension(usage, one)))}</span>
                <Sparkline slots={bySlot(ofDimension(usage, one), daysOf(month))} />
              </button>
            </li>
          ))}
        </ul>
        <SlotDetails
          title="By dimension"
          slots={dimensions.map((one) => ({ key: one, quantity: total(ofDimension(usage, one)) }))}
        />
      </section>
      <section className="section card" aria-labelledby="by-day">
        <h2 id="by-day">{title} by day</h2>
        <BarChart title={`${title} by day`} slots={days} nameOf={day} tickOf={shortDay} slotTitle="Day" />
      </section>
      <div className="two">
        <section className="card" aria-labelledby="by-hour">
          <div className="card-head">
            <h2 id="by-hour">{title} by hour</h2>
          </div>
          <Choice
            label="Day"
            value={shownDay}
            options={days.map(({ key, quantity }) => ({ value: key, text: `${day(key)}: ${readable(quantity)}` }))}
            onChoose={setDay}
          />
          <Hours subscriptionId={subscriptionId} dimension={dimension} date={shownDay} />
        </section>
        <Tags key={dimension} title={title} usage={ofDimension(usage, dimension)} />
      </div>
    </>
  );
}

function SlotDetails({ title, slots }: { title: string; slots: ReturnType<typeof bySlot> }) {
  return (
    <details className="as-table">
      <summary>{title}, as a table</summary>
      <SlotTable title={title} slotTitle="Dimension" slots={slots} nameOf={dimensionTitle} isSummed={false} />
    </details>
  );
}

function Hours({ subscriptionId, dimension, date }: { subscriptionId: string; dimension: string; date: string }) {
  const hours = useUsage(subscriptionId, spanOfDay(date), 'hour');
  if (hours.data === undefined) {
    return hours.error === null ? <Loading what="Loading the hours" /> : <Trouble error={hours.error} retry={() => void hours.refetch()} />;
  }
  return (
    <BarChart
      title={`${dimensionTitle(dimension)} on ${day(date)} by hour`}
      slots={bySlot(ofDimension(hours.data, dimension), hoursOf(date))}
      nameOf={(hour) => `${hour.slice(11)}:00 to ${hour.slice(11)}:59`}
      tickOf={(hour) => `${hour.slice(11)}:00`}
      slotTitle="Hour"
    />
  );
}

function Tags({ title, usage }: { title: string; usage: readonly Used[] }) {
  const keys = tagKeysOf(usage);
  const [chosen, setChosen] = useState<string | null>(null);
  const key = chosen ?? keys[0];
  const nameOf = (value: string) => (value === '' ? 'without this tag' : value);
  return (
    <section className="card" aria-labelledby="by-tag">
      <div className="card-head">
        <h2 id="by-tag">{title} by tag</h2>
      </div>
      {key === undefined ? (
        <p className="soft">None of this usage has tags. The product reports them, to tell apart teams or projects for example.</p>
      ) : (
        <>
          <Choice label="Tag" value={key} options={keys.map((one) => ({ value: one, text: one }))} onChoose={setChosen} />
          <ShareBars label={`${title} by ${key}`} slots={byTag(usage, key)} nameOf={nameOf} />
          <details className="as-table">
            <summary>{title} by {key}, as a table</summary>
            <SlotTable title={`${title} by ${key}`} slotTitle={key} slots={byTag(usage, key)} nameOf={nameOf} />
          </details>
        </>
      )}
    </section>
  );
}
