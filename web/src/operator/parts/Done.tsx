import type { ReactNode } from 'react';

/** Says what was done. It is always there, so that screen readers hear when it is filled. */
export function Done({ children }: { children: ReactNode }) {
  return <div role="status">{children === null || children === '' ? null : <p className="box good">{children}</p>}</div>;
}
