import { type ReactNode, useId, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { useConfig } from '../config/ConfigContext';
import { useSession, useSessionState } from '../session/SessionContext';
import { ConnectionNotice } from './ConnectionNotice';
import { ThemeChoice } from './ThemeChoice';

export interface NavItem {
  readonly to: string;
  readonly text: string;
  /** How the addresses of the pages below it begin. */
  readonly also?: string;
}

interface FrameProps {
  nav: readonly NavItem[];
  /** What this part of the application is called, beside the seller's name. */
  area?: string;
  /** While something is on its way that brings a frame of its own: there is nothing to press yet. */
  isPassing?: boolean;
  children: ReactNode;
}

/** What stands around each page: the seller, the way about, who is signed in, and whom to ask. */
export function Frame({ nav, area, isPassing = false, children }: FrameProps) {
  const { brand } = useConfig();
  const state = useSessionState();
  const session = useSession();
  const person = state.kind === 'signed-in' && !isPassing ? state.person : null;
  const [location] = useLocation();
  // Open on one page only: whoever goes on to another has chosen.
  const [openAt, setOpenAt] = useState<string | null>(null);
  const open = openAt === location;
  const panel = useId();

  return (
    <>
      {/* A link to #content would be a route: the button moves the focus instead. */}
      <button type="button" className="skip" onClick={() => document.getElementById('content')?.focus()}>
        Skip to content
      </button>
      <header className="top">
        <div className="top-row">
          <Link href={area === undefined ? '/' : '/operator'} className="brand">
            {brand.logo === null ? <span>{brand.seller}</span> : <img src={brand.logo} alt={brand.seller} />}
            {area === undefined ? null : <span className="area">{area}</span>}
          </Link>
          {person !== null ? (
            <button type="button" className="menu" aria-expanded={open} aria-controls={panel} onClick={() => setOpenAt(open ? null : location)}>
              Menu
            </button>
          ) : null}
        </div>
        {person !== null ? (
          <div className={open ? 'panel open' : 'panel'} id={panel}>
            <nav aria-label="Main">
              <ul>
                {nav.map((item) => (
                  <li key={item.to}>
                    <Link href={item.to} aria-current={isWithin(location, item) ? 'page' : undefined}>
                      {item.text}
                    </Link>
                  </li>
                ))}
              </ul>
            </nav>
            <div className="person">
              <span className="name" title={person.email ?? undefined}>{person.name}</span>
              <button type="button" className="link-button" onClick={() => void session.signOut()}>
                Sign out
              </button>
            </div>
          </div>
        ) : null}
      </header>
      <ConnectionNotice />
      <main id="content" tabIndex={-1}>
        {children}
      </main>
      <footer className="bottom">
        <p>
          {brand.supportEmail === null ? null : (
            <>Questions? Write to <a href={`mailto:${brand.supportEmail}`}>{brand.supportEmail}</a>. </>
          )}
          {brand.supportUrl === null ? null : (
            <><a href={brand.supportUrl} rel="noreferrer">Help</a>. </>
          )}
          All times are UTC.
        </p>
        <ThemeChoice />
      </footer>
    </>
  );
}

function isWithin(location: string, item: NavItem): boolean {
  return location === item.to || (item.also !== undefined && location.startsWith(item.also));
}
