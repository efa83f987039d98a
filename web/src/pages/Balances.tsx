import { type Balance, useBalance, useCustomerBalance } from '../api/usage';
import { Empty } from '../parts/Empty';
import { Loading } from '../parts/Loading';
import { ShareBars } from '../parts/ShareBars';
import { Trouble } from '../parts/Trouble';
import { balanceParts } from '../rules/balanceParts';
import { microsFrom, readable } from '../rules/quantities';
import { dimensionTitle } from '../rules/words';

/** Of a subscription, by dimension. */
export function Balances({ subscriptionId }: { subscriptionId: string }) {
  const balance = useBalance(subscriptionId);
  if (balance.data === undefined) {
    return balance.error === null ? <Loading what="Loading the balance" /> : <Trouble error={balance.error} retry={() => void balance.refetch()} />;
  }
  if (balance.data.length === 0) return <Empty title="No usage was reported yet." />;
  return <Cards balances={balance.data} />;
}

/** Of what was reported for the customer and belongs to no subscription yet; nothing where there is none. */
export function CustomerBalances({ customerId, productCode }: { customerId: string; productCode: string }) {
  const balance = useCustomerBalance(customerId, productCode);
  if (balance.error !== null) return <Trouble error={balance.error} retry={() => void balance.refetch()} />;
  const some = (balance.data ?? []).filter((one) => microsFrom(one.accepted) !== 0n);
  if (some.length === 0) return null;
  return (
    <>
      <h3>Not yet of one subscription</h3>
      <p className="soft">This usage names you, and several of your subscriptions could have it. It is billed once that is clear.</p>
      <Cards balances={some} />
    </>
  );
}

function Cards({ balances }: { balances: readonly Balance[] }) {
  return (
    <div className="two">
      {balances.map((one) => (
        <div key={one.dimension} className="card">
          <div className="card-head">
            <h3>{dimensionTitle(one.dimension)}</h3>
            <span className="soft">{readable(microsFrom(one.accepted))} used in all</span>
          </div>
          <ShareBars
            label={`${dimensionTitle(one.dimension)}: where it is`}
            slots={balanceParts(one).map((part) => ({ key: part.name, quantity: part.quantity }))}
            nameOf={(name) => (
              <>
                {name}
                <small>{balanceParts(one).find((part) => part.name === name)?.meaning}</small>
              </>
            )}
          />
        </div>
      ))}
    </div>
  );
}
