import { useExportAccount } from '../api/account';
import { saveFile } from '../parts/saveFile';
import { Trouble } from '../parts/Trouble';

/** Gives the buyer a file with all that registration keeps about them. */
export function ExportAccount({ customerId }: { customerId: string }) {
  const exporting = useExportAccount(customerId);
  const save = () => exporting.mutate(undefined, { onSuccess: (text) => saveFile('account.json', text) });
  return (
    <section className="section card" aria-labelledby="export">
      <h2 id="export">What is kept about you</h2>
      <p>A file with your account, how you sign in, and which subscriptions are yours. Usage and bills are on their own pages.</p>
      {exporting.error === null ? null : <Trouble error={exporting.error} />}
      <p className="actions">
        <button type="button" className="button quiet" aria-disabled={exporting.isPending} onClick={exporting.isPending ? undefined : save}>
          {exporting.isPending ? 'One moment …' : 'Download as JSON'}
        </button>
        <span role="status">{exporting.isSuccess ? 'The file is saved.' : ''}</span>
      </p>
    </section>
  );
}
