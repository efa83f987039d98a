/**
 * Quantities: exact decimals with at most six places, which travel as text. In here they are whole micro-units
 * (10⁻⁶), as BigInt. A floating-point number is made of them only to say how long a bar is.
 */
export type Micros = bigint;

const ONE = 1_000_000n;
const DECIMAL = /^(-?)(\d+)(?:\.(\d{1,6}))?$/;

/**
 * @throws RangeError the text is no decimal with at most six places.
 */
export function microsFrom(text: string): Micros {
  const found = DECIMAL.exec(text);
  if (found === null) throw new RangeError(`"${text}" is no quantity.`);
  const [, sign = '', whole = '', places = ''] = found;
  const micros = BigInt(whole) * ONE + BigInt(places.padEnd(6, '0'));
  return sign === '-' ? -micros : micros;
}

/** For people: thousands are parted, and there is no zero at the end: `1,234.5`. */
export function readable(micros: Micros): string {
  const size = micros < 0n ? -micros : micros;
  const whole = (size / ONE).toString().replace(/\B(?=(\d{3})+$)/g, ',');
  const places = (size % ONE).toString().padStart(6, '0').replace(/0+$/, '');
  return (micros < 0n ? '−' : '') + whole + (places === '' ? '' : `.${places}`);
}

export function sum(quantities: Iterable<Micros>): Micros {
  let total = 0n;
  for (const one of quantities) total += one;
  return total;
}

export function largest(quantities: Iterable<Micros>): Micros {
  let found = 0n;
  for (const one of quantities) if (one > found) found = one;
  return found;
}

/** How much `part` is of `whole`, from 0 to 1; exact to four places, for lengths on a screen only. */
export function share(part: Micros, whole: Micros): number {
  if (whole <= 0n || part <= 0n) return 0;
  return Number((part * 10_000n) / whole) / 10_000;
}

/** A readable upper end of a scale: the least of 1, 2, 2.5, 4 and 5 times a power of ten that is no less. */
export function scaleEnd(highest: Micros): Micros {
  if (highest <= 0n) return ONE;
  for (let power = 1n; ; power *= 10n) {
    for (const tenths of [10n, 20n, 25n, 40n, 50n]) {
      const end = (power * tenths) / 10n;
      if (end >= highest && (power * tenths) % 10n === 0n) return end;
    }
  }
}
