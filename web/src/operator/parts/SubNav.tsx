import { Link, useLocation } from 'wouter';

export interface SubNavItem {
  readonly to: string;
  readonly text: string;
  /** How the addresses of the pages below it begin. */
  readonly also?: string;
}

/** The pages of one area of the console. */
export function SubNav({ label, items }: { label: string; items: readonly SubNavItem[] }) {
  const [location] = useLocation();
  return (
    <nav className="subnav" aria-label={label}>
      <ul>
        {items.map(({ to, text, also }) => (
          <li key={to}>
            <Link href={to} aria-current={location === to || (also !== undefined && location.startsWith(also)) ? 'page' : undefined}>{text}</Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
