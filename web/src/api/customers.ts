import type { operations } from './generated/registration';
import type { Customer } from './account';
import { from, type List, useList } from './pages';
import { bodyOf, useServices } from './services';

/** The filters of `GET /v1/customers`; all that are given must hold. */
export type CustomerFilters = Omit<
  NonNullable<operations['list_customers']['parameters']['query']>,
  'limit' | 'cursor'
>;

/** For operators: all customers that fit. */
export function useCustomers(filters: CustomerFilters): List<Customer> {
  const { registration } = useServices();
  return useList(['customers', filters], (cursor) =>
    bodyOf('registration', registration.GET('/v1/customers', { params: { query: { ...filters, ...from(cursor) } } })),
  );
}
