import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Loading } from '../../parts/Loading';
import { Trouble } from '../../parts/Trouble';

interface ReadProps<Data> {
  query: UseQueryResult<Data>;
  /** What is on its way, such as `Loading the record`. */
  loading: string;
  children: (data: Data) => ReactNode;
}

/** One thing in all its states: on its way, in trouble, there; and there while asking anew fails. */
export function Read<Data>({ query, loading, children }: ReadProps<Data>) {
  const trouble = query.error === null ? null : <Trouble error={query.error} retry={() => void query.refetch()} />;
  if (query.data === undefined) return trouble ?? <Loading what={loading} />;
  return <>{trouble}{children(query.data)}</>;
}
