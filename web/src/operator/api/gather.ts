import type { Page } from '../../api/pages';
import { from } from '../../api/pages';

/** What was read of a list that may be long. */
export interface Gathered<Item> {
  readonly items: readonly Item[];
  /** Whether that is all of it. */
  readonly isAll: boolean;
}

/**
 * Reads a list page by page, but no more than so many pages: what a glance may cost has an end.
 *
 * @param read reads one page; it is given `{}` for the first and `{cursor}` for each other.
 * @param pages how many pages at most.
 */
export async function gather<Item>(
  read: (next: { cursor?: string }) => Promise<Page<Item>>,
  pages: number,
): Promise<Gathered<Item>> {
  const items: Item[] = [];
  let cursor: string | undefined;
  for (let number = 0; number < pages; number += 1) {
    const page = await read(from(cursor));
    items.push(...page.items);
    if (page.next_cursor === null) return { items, isAll: true };
    cursor = page.next_cursor;
  }
  return { items, isAll: false };
}
