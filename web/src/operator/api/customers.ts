import { useMutation, useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import type { Customer } from '../../api/account';
import type { components } from '../../api/generated/registration';
import { bodyOf, useServices } from '../../api/services';

export type CustomerExport = components['schemas']['CustomerExport'];

export function useCustomer(customerId: string): UseQueryResult<Customer> {
  const { registration } = useServices();
  return useQuery({
    queryKey: ['operator', 'customer', customerId],
    queryFn: () =>
      bodyOf('registration', registration.GET('/v1/customers/{customer_id}', { params: { path: { customer_id: customerId } } })),
  });
}

/** All that is kept about a customer. It is the only place where the contract names who they sign in as. */
export function useCustomerExport(customerId: string): UseQueryResult<CustomerExport> {
  const { registration } = useServices();
  return useQuery({
    queryKey: ['operator', 'export', customerId],
    queryFn: () =>
      bodyOf('registration', registration.GET('/v1/customers/{customer_id}/export', { params: { path: { customer_id: customerId } } })),
  });
}

export function useDeleteCustomer(customerId: string) {
  const { registration } = useServices();
  const cache = useQueryClient();
  return useMutation({
    mutationFn: () =>
      bodyOf('registration', registration.DELETE('/v1/customers/{customer_id}', { params: { path: { customer_id: customerId } } })),
    onSuccess: () => {
      // It answers 404 from now on; what was read of it is forgotten.
      cache.removeQueries({ queryKey: ['operator', 'export', customerId] });
      void cache.invalidateQueries({ queryKey: ['customers'] });
    },
  });
}
