import type { ReactNode } from 'react';
import type { List } from '../../api/pages';
import { ListOf } from '../../parts/ListOf';

interface SparseListProps<Item> {
  list: List<Item>;
  loading: string;
  empty: ReactNode;
  children: (items: Item[]) => ReactNode;
}

/** A list that is read with a filter: a page may hold nothing and yet go on, which is said. */
export function SparseList<Item>({ list, loading, empty, children }: SparseListProps<Item>) {
  return (
    <>
      {list.items?.length === 0 && list.hasMore ? <p className="soft">Nothing fits in what was read so far.</p> : null}
      <ListOf list={list} loading={loading} empty={empty}>{children}</ListOf>
    </>
  );
}
