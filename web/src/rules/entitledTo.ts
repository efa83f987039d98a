import { microsFrom, readable } from './quantities';

/** What an entitlement says, for people: `20`, `1,500.5`, `included`. */
export function entitledTo(one: { type: string; value: string }): string {
  if (one.type === 'boolean') return one.value === 'true' ? 'included' : 'not included';
  if (one.type === 'string') return one.value;
  try {
    return readable(microsFrom(one.value));
  } catch {
    return one.value; // finer than quantities are; shown as it is
  }
}
