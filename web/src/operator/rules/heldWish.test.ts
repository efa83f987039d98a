import { expect, it } from 'vitest';
import { heldWish } from './heldWish';

const OF_CUSTOMER = { subscription_id: null, customer_id: 'cus_1', product_code: 'p', dimension: 'gpu_hours', hour: '2026-11-22T10:00:00Z' };
const OF_SUBSCRIPTION = { ...OF_CUSTOMER, subscription_id: 'sub_1', customer_id: null, product_code: null };

it('gives one hour of a customer’s usage to a subscription', () => {
  expect(heldWish(OF_CUSTOMER, 'hour', 'sub_2', 'why')).toEqual({
    customer_id: 'cus_1', product_code: 'p', dimension: 'gpu_hours', first_hour: '2026-11-22T10:00:00Z', last_hour: '2026-11-22T10:00:00Z',
    decision: 'give', to_subscription_id: 'sub_2', reason: 'why',
  });
});

it('writes off a subscription’s dimension, or all', () => {
  expect(heldWish(OF_SUBSCRIPTION, 'dimension', null, 'why')).toEqual({ subscription_id: 'sub_1', dimension: 'gpu_hours', decision: 'write_off', reason: 'why' });
  expect(heldWish(OF_SUBSCRIPTION, 'all', null, 'why')).toEqual({ subscription_id: 'sub_1', decision: 'write_off', reason: 'why' });
});

it('names the subscription alone where the row names a customer too', () => {
  expect(heldWish({ ...OF_CUSTOMER, subscription_id: 'sub_1' }, 'all', null, 'why')).toEqual({ subscription_id: 'sub_1', decision: 'write_off', reason: 'why' });
});

it('refuses a row without a holder', () => {
  expect(() => heldWish({ ...OF_CUSTOMER, customer_id: null }, 'all', null, 'why')).toThrow(RangeError);
});
