import { type SyntheticEvent, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { Confirm } from '../../parts/Confirm';
import { Empty } from '../../parts/Empty';
import { Field } from '../../parts/Field';
import { ListOf } from '../../parts/ListOf';
import { Page } from '../../parts/Page';
import { type Column, Table } from '../../parts/Table';
import { dayAndTime } from '../../rules/moments';
import { billsComparedAt } from '../addresses';
import { type BillsCompared, type FileOfAws, useBillsComparedList, useCompareBills } from '../api/billsCompared';
import { ReconciliationsNav } from '../parts/areas';
import { Problem } from '../parts/Problem';
import { completeness, fileType } from '../rules/fileOfAws';

export const SOURCES = { cloudtrail: 'CloudTrail', usage_report: 'Usage report' } as const;

const COLUMNS: readonly Column<BillsCompared>[] = [
  { title: 'File', cell: (one) => <Link href={billsComparedAt(one.reconciliation_id)}>{SOURCES[one.source]}, {dayAndTime(one.at)}</Link> },
  { title: 'Compared', cell: (one) => one.counts.compared, isNumber: true },
  { title: 'Agreed', cell: (one) => one.counts.agreed, isNumber: true },
  { title: 'Differences', cell: (one) => one.counts.differences, isNumber: true },
  { title: 'Settled', cell: (one) => one.counts.settled_as_billed + one.counts.settled_to_bill_again, isNumber: true },
  { title: 'By', cell: (one) => one.by },
];

/** Compares our books with a file of AWS's, and lists the comparisons there were. */
export function BillsPage() {
  const list = useBillsComparedList();
  return (
    <Page title="Compare bills" lead="Our metering records against what AWS has: CloudTrail’s records of BatchMeterUsage, or the seller’s usage report.">
      <ReconciliationsNav />
      <Upload />
      <section className="section" aria-labelledby="earlier">
        <h2 id="earlier">Comparisons so far</h2>
        <ListOf list={list} loading="Loading comparisons" empty={<Empty title="There was none yet." />}>
          {(items) => <Table caption="Comparisons" columns={COLUMNS} rows={items} keyOf={(one) => one.reconciliation_id} />}
        </ListOf>
      </section>
    </Page>
  );
}

function Upload() {
  const [, go] = useLocation();
  const compare = useCompareBills();
  const [file, setFile] = useState<File | null>(null);
  const [from, setFrom] = useState('');
  const [until, setUntil] = useState('');
  const [asked, setAsked] = useState<FileOfAws | null>(null);
  const [wrong, setWrong] = useState<RangeError | null>(null);
  const type = file === null ? null : fileType(file.name);

  const ask = (event: SyntheticEvent) => {
    event.preventDefault();
    if (file === null || type === null) return;
    try {
      setAsked({ file, type, complete: completeness(from, until) });
      setWrong(null);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      setWrong(error);
    }
  };
  return (
    <section className="card" aria-labelledby="upload">
      <h2 id="upload">Send a file</h2>
      <form className="form" onSubmit={ask}>
        <Field
          label="File"
          type="file"
          accept=".json,.csv,.gz"
          required
          hint="CloudTrail as .json, the usage report as .csv; gzipped or not."
          error={file !== null && type === null ? 'Its name has to end in .json or .csv, or in .json.gz or .csv.gz.' : undefined}
          onChange={(event) => setFile(event.target.files?.[0] ?? null)}
        />
        {type === 'application/json' ? (
          <>
            <Field label="Complete from, UTC" type="datetime-local" hint="By your word, the file holds all calls of our Region between these moments. Only then a record that AWS never counted is billed again." value={from} onChange={(event) => setFrom(event.target.value)} />
            <Field label="Complete until, UTC" type="datetime-local" value={until} onChange={(event) => setUntil(event.target.value)} />
          </>
        ) : null}
        <Problem error={wrong ?? compare.error} />
        <p className="actions"><button type="submit" className="button" disabled={type === null || compare.isPending}>{compare.isPending ? 'Comparing …' : 'Compare …'}</button></p>
      </form>
      {asked === null ? null : (
        <Confirm
          title={`Compare our books with ${file?.name ?? 'this file'}?`}
          action="Compare"
          busy={compare.isPending}
          onConfirm={() =>
            compare.mutate(asked, {
              onSuccess: ({ reconciliation }) => go(billsComparedAt(reconciliation.reconciliation_id)),
              onError: () => setAsked(null),
            })
          }
          onCancel={() => setAsked(null)}
        >
          <p>
            {asked.type === 'text/csv'
              ? 'A usage report settles nothing: differences are named only.'
              : asked.complete === null
                ? 'A record that AWS’s answer left open, and that the file shows as counted, is settled as billed.'
                : 'Records that AWS’s answer left open are settled where the file makes it certain: as billed, or to be billed again.'}
          </p>
        </Confirm>
      )}
    </section>
  );
}
