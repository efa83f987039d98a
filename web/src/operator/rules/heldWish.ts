/** Whose usage is held: a subscription's, or a customer's of one product. */
interface Held {
  readonly subscription_id: string | null;
  readonly customer_id: string | null;
  readonly product_code: string | null;
  readonly dimension: string;
  readonly hour: string;
}

interface Wish {
  subscription_id?: string;
  customer_id?: string;
  product_code?: string;
  dimension?: string;
  first_hour?: string;
  last_hour?: string;
  decision: 'give' | 'write_off';
  to_subscription_id?: string;
  reason: string;
}

/** How much of a holder's held usage a decision is about. */
export type Extent = 'hour' | 'dimension' | 'all';

/**
 * The decision as it is sent.
 *
 * @param held one held row, which names the holder.
 * @param extent its hour alone, its dimension, or all that is held of the holder.
 * @param to the subscription that it is given to; null writes it off.
 * @throws RangeError the row names no holder.
 */
export function heldWish(held: Held, extent: Extent, to: string | null, reason: string): Wish {
  return {
    ...holder(held),
    ...(extent === 'all' ? {} : { dimension: held.dimension }),
    ...(extent === 'hour' ? { first_hour: held.hour, last_hour: held.hour } : {}),
    ...(to === null ? { decision: 'write_off' as const } : { decision: 'give' as const, to_subscription_id: to }),
    reason,
  };
}

function holder(held: Held): Partial<Wish> {
  if (held.subscription_id !== null) return { subscription_id: held.subscription_id };
  if (held.customer_id !== null && held.product_code !== null) return { customer_id: held.customer_id, product_code: held.product_code };
  throw new RangeError('The row names nobody whose usage it is.');
}
