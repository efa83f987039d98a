import { expect, it } from 'vitest';
import { customerAt, idFrom, newsAt, recordsAt, replayAt } from './addresses';

it('keeps an id one part of an address, whatever it holds', () => {
  const address = newsAt('reconciliation:agmt/1:ended');
  expect(address.split('/')).toHaveLength(5);
  expect(idFrom(address.split('/').at(-1) ?? '')).toBe('reconciliation:agmt/1:ended');
});

it('names a list of records with and without its subscription', () => {
  expect(recordsAt('all')).toBe('/operator/metering/records/all');
  expect(recordsAt('unknown', 'sub_1')).toBe('/operator/metering/records/unknown/sub_1');
  expect(replayAt('whe_1', 'whr_1')).toBe('/operator/webhooks/endpoint/whe_1/replays/whr_1');
  expect(customerAt('cus_1')).toBe('/operator/customers/cus_1');
});

it('takes what is no encoding as it stands', () => {
  expect(idFrom('50%')).toBe('50%');
});
