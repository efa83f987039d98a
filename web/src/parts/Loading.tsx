/** Something is on its way. It is said to screen readers too. */
export function Loading({ what = 'Loading' }: { what?: string }) {
  return (
    <p className="loading" role="status">
      <span className="spinner" aria-hidden="true" />
      {what} …
    </p>
  );
}
