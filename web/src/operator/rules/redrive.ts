/** What is sent to `POST /v1/dead-letters/redrive`. */
interface Wish {
  dead_letter_ids?: string[];
  mended?: { dead_letter_id: string; body: string }[];
}

/** As many letters, and as many mended ones, as one request takes. */
export const MOST_LETTERS = 100;
export const MOST_MENDED = 10;

/**
 * The wish for letters that were chosen: those with another body than they came with go mended, all others as they are.
 *
 * @param letters the letters that are shown.
 * @param chosen the ids of those to send.
 * @param bodies what was entered as another body, by letter.
 * @throws RangeError nothing is chosen (an empty wish would send all of them), or more than one request takes.
 */
export function redriveWish(
  letters: readonly { readonly dead_letter_id: string; readonly body: string }[],
  chosen: ReadonlySet<string>,
  bodies: ReadonlyMap<string, string>,
): Wish {
  const picked = letters.filter((one) => chosen.has(one.dead_letter_id));
  const mended = picked.flatMap(({ dead_letter_id, body }) => {
    const other = bodies.get(dead_letter_id);
    return other === undefined || other === body ? [] : [{ dead_letter_id, body: other }];
  });
  const ids = picked.map((one) => one.dead_letter_id).filter((id) => !mended.some((one) => one.dead_letter_id === id));
  if (picked.length === 0) throw new RangeError('Choose at least one letter.');
  if (mended.length > MOST_MENDED) throw new RangeError(`At most ${MOST_MENDED} letters can be mended at once.`);
  if (ids.length > MOST_LETTERS) throw new RangeError(`At most ${MOST_LETTERS} letters can be sent at once.`);
  return { ...(ids.length > 0 ? { dead_letter_ids: ids } : {}), ...(mended.length > 0 ? { mended } : {}) };
}
