import { describe, expect, it } from 'vitest';
import { errorFrom } from '../api/ServiceError';
import { filterFrom } from '../operator/customerSearch';
import { accountChange } from './accountChange';
import { fieldErrors } from './fieldErrors';

describe('a change of the account', () => {
  const now = { email: 'ada@example.com', name: 'Ada', company: null };

  it('is what differs', () => {
    expect(accountChange(now, { email: 'ada@example.com', name: 'Ada L.', company: ' ' })).toEqual({ name: 'Ada L.' });
    expect(accountChange(now, { email: ' new@example.com ', name: 'Ada', company: 'AE' })).toEqual({
      email: 'new@example.com',
      company: 'AE',
    });
  });

  it('empties what was emptied', () => {
    expect(accountChange(now, { email: 'ada@example.com', name: '', company: '' })).toEqual({ name: null });
  });

  it('is none where nothing differs', () => {
    expect(accountChange(now, { email: 'ada@example.com', name: ' Ada ', company: '' })).toBeNull();
  });
});

it('puts what a problem says to the fields that it names', () => {
  const errors = [{ in: 'body', path: '/email', reason: 'It is too short.' }];
  const error = errorFrom('registration', 400, { type: 'x/invalid-request', title: 'No.', status: 400, errors });
  expect(fieldErrors(error)).toEqual({ email: 'It is too short.' });
  expect(fieldErrors(new Error('another'))).toEqual({});
});

it('searches customers by one thing, or shows all', () => {
  expect(filterFrom('email', ' ada@example.com ')).toEqual({ email: 'ada@example.com' });
  expect(filterFrom('customer_aws_account_id', '')).toEqual({});
});
