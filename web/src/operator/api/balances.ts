import { useMutation } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { readAll } from '../../api/pages';
import { bodyOf, useServices } from '../../api/services';
import { from } from '../../api/pages';

export interface Imbalance {
  readonly subscriptionId: string;
  readonly dimensions: readonly string[];
}

export interface BalanceCheck {
  readonly checked: number;
  readonly of: number;
  readonly found: readonly Imbalance[];
}

const AT_ONCE = 4;

/**
 * Goes through the balance of each subscription, a few at a time, and says how far it has come. The contract has no
 * list of balances, so this is begun by a person and not by opening a page.
 */
export function useBalanceCheck() {
  const { metering, notifications } = useServices();
  const [progress, setProgress] = useState<BalanceCheck | null>(null);
  const going = useRef(0);
  const check = useMutation({
    mutationFn: async () => {
      const mine = (going.current += 1);
      setProgress(null);
      const all = await readAll((cursor) =>
        bodyOf('notifications', notifications.GET('/v1/subscriptions', { params: { query: { limit: 100, ...from(cursor) } } })),
      );
      const waiting = all.map((one) => one.subscription_id);
      const found: Imbalance[] = [];
      let checked = 0;
      const worker = async () => {
        for (let id = waiting.shift(); id !== undefined && going.current === mine; id = waiting.shift()) {
          const { dimensions } = await bodyOf('metering', metering.GET('/v1/balance', { params: { query: { subscription_id: id } } }));
          const off = dimensions.filter((row) => !row.balanced).map((row) => row.dimension);
          if (off.length > 0) found.push({ subscriptionId: id, dimensions: off });
          checked += 1;
          setProgress({ checked, of: all.length, found: [...found] });
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      return { checked, of: all.length, found };
    },
  });
  return { check, progress };
}
