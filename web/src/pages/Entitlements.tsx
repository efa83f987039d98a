import type { SubscriptionAccess } from '../api/account';
import { Facts } from '../parts/Facts';
import { day, dayAndTime } from '../rules/moments';
import { entitledTo } from '../rules/entitledTo';
import { dimensionTitle } from '../rules/words';

interface EntitlementsProps {
  entitlements: SubscriptionAccess['entitlements'];
  asOf: string | null;
  /** Of its heading. */
  level?: 2 | 3;
}

/** What a contract entitles its buyer to, as AWS last said; nothing where AWS was never asked or says none. */
export function Entitlements({ entitlements, asOf, level = 3 }: EntitlementsProps) {
  if (entitlements === null || entitlements.length === 0) return null;
  const Heading = `h${level}` as const;
  return (
    <section className="entitlements">
      <Heading>What your contract holds</Heading>
      <Facts
        facts={entitlements.map((one) => [
          dimensionTitle(one.dimension),
          <>
            {entitledTo(one)}
            {one.expires_at === null ? null : <small>ends or renews on {day(one.expires_at)}</small>}
          </>,
        ])}
      />
      {asOf === null ? null : <p className="soft">As AWS Marketplace said on {dayAndTime(asOf)}.</p>}
    </section>
  );
}
