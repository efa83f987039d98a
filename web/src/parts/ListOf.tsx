import type { ReactNode } from 'react';
import type { List } from '../api/pages';
import { Loading } from './Loading';
import { Trouble } from './Trouble';

interface ListOfProps<Item> {
  list: List<Item>;
  /** What is on its way, such as `Loading customers`. */
  loading: string;
  empty: ReactNode;
  /** Draws all items that have been read. */
  children: (items: Item[]) => ReactNode;
}

/** A list in all its states: on its way, in trouble, empty, and with more to come by a button. */
export function ListOf<Item>({ list, loading, empty, children }: ListOfProps<Item>) {
  const { items } = list;
  if (items === undefined) {
    return list.error === null ? <Loading what={loading} /> : <Trouble error={list.error} retry={list.retry} />;
  }
  const isOver = !list.hasMore && list.error === null;
  return (
    <>
      {items.length === 0 && isOver ? empty : null}
      {items.length > 0 ? children(items) : null}
      {list.error === null ? null : <Trouble error={list.error} retry={list.retry} />}
      {list.hasMore && list.error === null ? (
        <p className="actions">
          <button type="button" className="button quiet" aria-disabled={list.isFetching} onClick={list.isFetching ? undefined : list.more}>
            {list.isFetching ? 'Loading …' : 'Show more'}
          </button>
        </p>
      ) : null}
      <p role="status" className="for-readers">
        {items.length === 0 ? '' : `${items.length} shown${list.hasMore ? ', there are more' : ''}.`}
      </p>
    </>
  );
}
