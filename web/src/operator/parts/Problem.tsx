import { ServiceError } from '../../api/ServiceError';

/** Why something was not done: the problem's title, detail and places, and the id by which the log knows it. */
export function Problem({ error }: { error: unknown }) {
  if (error === null || error === undefined) return null;
  if (!(error instanceof ServiceError)) {
    return (
      <div className="box bad" role="alert">
        <p className="box-title">{error instanceof RangeError ? error.message : 'This page made a mistake.'}</p>
      </div>
    );
  }
  const places = Object.entries(error.places);
  return (
    <div className="box bad" role="alert">
      <p className="box-title">{error.title}</p>
      {error.detail === null ? null : <p>{error.detail}</p>}
      {places.length === 0 ? null : (
        <ul>
          {places.map(([path, reason]) => <li key={path}><code>{path}</code> {reason}</li>)}
        </ul>
      )}
      <p className="soft">
        The {error.service} service{error.status === null ? ' gave no answer' : ` answered ${error.status}`}
        {error.requestId === null ? '.' : <>, request <code>{error.requestId}</code>.</>}
      </p>
    </div>
  );
}
