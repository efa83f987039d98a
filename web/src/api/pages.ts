import { type QueryKey, useInfiniteQuery } from '@tanstack/react-query';

/** One page of a list, as all three services answer it. */
export interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

export interface List<Item> {
  /** What has been read so far; undefined before the first page came. */
  readonly items: Item[] | undefined;
  readonly error: Error | null;
  readonly isFetching: boolean;
  readonly hasMore: boolean;
  readonly more: () => void;
  readonly retry: () => void;
}

/**
 * A list that is read page by page, by cursor.
 *
 * @param read reads one page; the cursor is undefined for the first.
 * @param lookAgain in how many milliseconds all is read again, if at all, seen what there is.
 */
export function useList<Item>(
  key: QueryKey,
  read: (cursor: string | undefined) => Promise<Page<Item>>,
  lookAgain: (items: readonly Item[]) => number | false = () => false,
): List<Item> {
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam }) => read(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: ({ state }) => lookAgain(state.data?.pages.flatMap((page) => page.items) ?? []),
  });
  return {
    items: query.data?.pages.flatMap((page) => page.items),
    error: query.error,
    isFetching: query.isFetching,
    hasMore: query.hasNextPage,
    more: () => void query.fetchNextPage(),
    retry: () => void (query.isFetchNextPageError ? query.fetchNextPage() : query.refetch()),
  };
}

/** A cursor as a query parameter, left out of the first call. */
export function from(cursor: string | undefined): { cursor?: string } {
  return cursor === undefined ? {} : { cursor };
}

/**
 * All pages of a list that is short by its nature, such as one month by days.
 *
 * @throws Error it has more pages than it can have.
 */
export async function readAll<Item>(read: (cursor: string | undefined) => Promise<Page<Item>>): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 200; pages += 1) {
    const page = await read(cursor);
    items.push(...page.items);
    if (page.next_cursor === null) return items;
    cursor = page.next_cursor;
  }
  throw new Error('The list does not end.');
}
