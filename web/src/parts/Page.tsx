import { type ReactNode, useEffect, useRef } from 'react';
import { useConfig } from '../config/ConfigContext';

interface PageProps {
  title: string;
  /** A sentence below the title. */
  lead?: ReactNode | undefined;
  /** What can be done with the whole, such as a link to create something. */
  actions?: ReactNode;
  /** One sheet in the middle, for a page with one thing to say. */
  narrow?: boolean;
  children: ReactNode;
}

let isFirst = true;

/**
 * A page: its heading, the window's title, and, since no document is loaded, the focus: on a new page it goes to the
 * heading, so that a screen reader says where one is. The first page leaves it where the browser has it.
 */
export function Page({ title, lead, actions, narrow = false, children }: PageProps) {
  const { brand } = useConfig();
  const heading = useRef<HTMLHeadingElement>(null);

  useEffect(() => {
    document.title = `${title} – ${brand.seller}`;
  }, [title, brand.seller]);

  useEffect(() => {
    if (isFirst) isFirst = false;
    else {
      heading.current?.focus({ preventScroll: true });
      window.scrollTo(0, 0);
    }
  }, []);

  return (
    <article className={narrow ? 'sheet narrow' : 'page'}>
      <div className="page-head">
        <h1 ref={heading} tabIndex={-1}>{title}</h1>
        {actions === undefined ? null : <div className="page-actions">{actions}</div>}
      </div>
      {lead === undefined ? null : <p className="lead">{lead}</p>}
      {children}
    </article>
  );
}
