import { dayAndTime } from '../rules/moments';

/** A moment for people, and for programs in the markup. */
export function Moment({ at }: { at: string }) {
  return <time dateTime={at}>{dayAndTime(at)}</time>;
}
