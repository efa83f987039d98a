import { ServiceError } from '../api/ServiceError';

interface TroubleProps {
  error: unknown;
  /** Asks once more; without it there is no button. */
  retry?: () => void;
}

/** What went wrong, in the service's own words, and a button to ask again where that may help. */
export function Trouble({ error, retry }: TroubleProps) {
  const known = error instanceof ServiceError ? error : null;
  return (
    <div className="box bad" role="alert">
      <p className="box-title">{known?.title ?? 'This page made a mistake.'}</p>
      {known?.detail === null || known === null ? null : <p>{known.detail}</p>}
      {known?.requestId === null || known === null ? null : (
        <p className="soft">If you write to us, quote this: <code>{known.requestId}</code></p>
      )}
      {retry === undefined ? null : (
        <p className="actions">
          <button type="button" className="button quiet" onClick={retry}>Try again</button>
        </p>
      )}
    </div>
  );
}
