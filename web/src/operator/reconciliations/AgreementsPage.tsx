import { type SyntheticEvent, useState } from 'react';
import { useLocation } from 'wouter';
import { Field } from '../../parts/Field';
import { Page } from '../../parts/Page';
import { agreementsComparedAt } from '../addresses';
import { useCompareAgreements } from '../api/agreementsCompared';
import { ReconciliationsNav } from '../parts/areas';
import { AskFirst } from '../parts/AskFirst';
import { Problem } from '../parts/Problem';

/** Begins to compare our subscriptions with what AWS says when it is asked. */
export function AgreementsPage() {
  const [, go] = useLocation();
  const compare = useCompareAgreements();
  const [id, setId] = useState('');
  const open = (event: SyntheticEvent) => {
    event.preventDefault();
    if (id.trim() !== '') go(agreementsComparedAt(id.trim()));
  };
  return (
    <Page title="Compare agreements" lead="Our subscriptions against the active agreements that AWS has. It finds news that was lost.">
      <ReconciliationsNav />
      <section className="card" aria-labelledby="start">
        <h2 id="start">Start</h2>
        <p>A worker reads all active agreements of your products, then goes through the subscriptions that are alive here. One is at work at a time: while it is, you are led to that one.</p>
        <Problem error={compare.error} />
        <p className="actions">
          <AskFirst
            kind="plain"
            text="Compare with AWS …"
            title="Compare our subscriptions with AWS?"
            action="Compare"
            run={async () => {
              const begun = await compare.mutateAsync();
              go(agreementsComparedAt(begun.reconciliation_id));
            }}
          >
            <p>What is safe is healed: a purchase or an end that was not heard of is taken for the news that was lost, which gives or ends access. All else is only reported.</p>
          </AskFirst>
        </p>
      </section>
      <section className="card" aria-labelledby="open">
        <h2 id="open">Open an earlier one</h2>
        <form role="search" className="search" onSubmit={open}>
          <Field label="Its id" hint="There is no list of them; its page’s address has the id." required value={id} onChange={(event) => setId(event.target.value)} />
          <button type="submit" className="button quiet">Open</button>
        </form>
      </section>
    </Page>
  );
}
