import { useState } from 'react';
import { Empty } from '../../parts/Empty';
import { Page } from '../../parts/Page';
import { type DeadLetter, type Redrive, useDeadLetters, useRedrive } from '../api/deadLetters';
import { NewsNav } from '../parts/areas';
import { AskFirst } from '../parts/AskFirst';
import { Done } from '../parts/Done';
import { Problem } from '../parts/Problem';
import { Read } from '../parts/Read';
import { Work } from '../parts/Work';
import { counted } from '../rules/counts';
import { redriveWish } from '../rules/redrive';
import { Letter } from './Letter';

const LOOK_AT = 50;

/** Messages that could not be applied: read them, mend them, send them once more. */
export function DeadLettersPage() {
  const letters = useDeadLetters(LOOK_AT);
  const redrive = useRedrive();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [bodies, setBodies] = useState<ReadonlyMap<string, string>>(new Map());
  const [said, setSaid] = useState('');

  const [wrong, setWrong] = useState<RangeError | null>(null);

  const send = async (wish: Redrive) => {
    setSaid('');
    setWrong(null);
    const { redriven, not_found: missing } = await redrive.mutateAsync(wish);
    setChosen(new Set());
    setBodies(new Map());
    const rest = missing.length === 0 ? '' : ` ${counted(missing.length, 'letter')} could not be found; another caller may hold it for half a minute.`;
    setSaid(`${counted(redriven, 'letter')} sent once more.${rest}`);
  };
  const sendChosen = async (found: readonly DeadLetter[]) => {
    let wish: Redrive;
    try {
      wish = redriveWish(found, chosen, bodies);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      setWrong(error); // more than one request takes
      return;
    }
    await send(wish);
  };
  const choose = (id: string, isOn: boolean) => {
    const next = new Set(chosen);
    if (isOn) next.add(id);
    else next.delete(id);
    setChosen(next);
  };

  return (
    <Page
      title="Dead letters"
      lead="Messages of AWS that could not be read, or failed five times. Looking removes nothing; while one person looks, another may see fewer."
      actions={<Work quiet busy={letters.isFetching} saying="Looking …" onDo={() => void letters.refetch()}>Look again</Work>}
    >
      <NewsNav />
      <Done>{said}</Done>
      <Problem error={wrong ?? redrive.error} />
      <Read query={letters} loading="Looking for dead letters">
        {({ dead_letters: found, about }) =>
          found.length === 0 ? (
            <Empty title={about === 0 ? 'There are no dead letters.' : `There are about ${about}, and none can be seen just now.`}>
              {about === 0 ? null : <p>Another caller is looking at them. Look again in half a minute.</p>}
            </Empty>
          ) : (
            <>
              <p>There are about {about}; {found.length} are shown.</p>
              <div className="actions">
                <AskFirst kind="plain" text={`Send ${chosen.size} chosen …`} disabled={chosen.size === 0} title={`Send ${counted(chosen.size, 'letter')} once more?`} action="Send" run={() => sendChosen(found)}>
                  <p>They go back onto the queue, those that you mended with their new body. What counts already changes nothing; what still cannot be read comes back here.</p>
                </AskFirst>
                <AskFirst text="Send all …" title={`Send all ${about} letters once more?`} action="Send all" run={() => send({})}>
                  <p>All of them as they are, up to 1,000 at once, also those that are not shown here. What you entered below is not used.</p>
                </AskFirst>
              </div>
              {found.map((one) => (
                <Letter
                  key={one.dead_letter_id}
                  letter={one}
                  isChosen={chosen.has(one.dead_letter_id)}
                  body={bodies.get(one.dead_letter_id) ?? null}
                  onChoose={(isOn) => choose(one.dead_letter_id, isOn)}
                  onMend={(body) => {
                    setBodies(new Map(bodies).set(one.dead_letter_id, body));
                    choose(one.dead_letter_id, true);
                  }}
                />
              ))}
            </>
          )
        }
      </Read>
    </Page>
  );
}
