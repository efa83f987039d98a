import { expect, it } from 'vitest';
import { shortId } from './shortId';

it('cuts the middle out of long ids only', () => {
  expect(shortId('sub_akqbclolnbr5rol2aljugptsbj')).toBe('sub_akqbc…ptsbj');
  expect(shortId('agmt-EXAMPLE')).toBe('agmt-EXAMPLE');
});
