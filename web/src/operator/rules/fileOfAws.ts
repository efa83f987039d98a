import { instantFrom } from './instants';

/** As which kind of file AWS's records are sent, by the file's name; a gzipped one keeps the kind that it packs. */
export function fileType(name: string): 'application/json' | 'text/csv' | null {
  const plain = name.toLowerCase().replace(/\.gz$/, '');
  if (plain.endsWith('.json')) return 'application/json';
  return plain.endsWith('.csv') ? 'text/csv' : null;
}

/**
 * The time of which a file holds all calls: both ends or neither.
 *
 * @throws RangeError one end alone was entered, or the end is not after the beginning.
 */
export function completeness(from: string, until: string): { complete_from: string; complete_until: string } | null {
  if (from === '' && until === '') return null;
  const [begin, end] = [instantFrom(from), instantFrom(until)];
  if (begin === null || end === null) throw new RangeError('Enter both moments, or neither.');
  if (Date.parse(end) <= Date.parse(begin)) throw new RangeError('The end has to be later than the beginning.');
  return { complete_from: begin, complete_until: end };
}
