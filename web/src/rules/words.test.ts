import { describe, expect, it } from 'vitest';
import { balanceParts } from './balanceParts';
import { entitledTo } from './entitledTo';
import { historySentences } from './historySentences';
import { readable } from './quantities';
import { inOrder } from './subscriptionOrder';
import { dimensionTitle, endpointEndWords, endReasonWords, outcomeMeaning, outcomeWords, statusMeaning, statusWords } from './words';

describe('words', () => {
  it.each([
    ['gpu_hours', 'GPU hours'],
    ['requests', 'Requests'],
    ['tpu-hours.v2', 'TPU hours v2'],
    ['_', '_'],
  ])('the dimension %s is called %s', (dimension, title) => {
    expect(dimensionTitle(dimension)).toBe(title);
  });

  it('has a word and a sentence for each status', () => {
    for (const status of ['pending', 'active', 'ending', 'ended', 'failed'] as const) {
      expect(statusWords(status).children).not.toBe('');
      expect(statusMeaning(status)).toMatch(/\.$/);
    }
  });

  it('says what an outcome means where its word does not', () => {
    expect(outcomeWords('billed')).toEqual({ tone: 'good', children: 'Billed' });
    expect(outcomeMeaning('billed')).toBeNull();
    expect(outcomeMeaning('unknown')).not.toBeNull();
  });

  it('shows AWS’s own word where it is a new one', () => {
    expect(endReasonWords('CANCELLED')).toBe('Cancelled');
    expect(endReasonWords('MERGED')).toBe('MERGED');
    expect(endpointEndWords('subscription_ended')).toBe('Stopped with its subscription');
    expect(endpointEndWords(null)).toBe('Deleted');
  });
});

describe('a balance', () => {
  it('shows what is billed, and of the rest what is not zero', () => {
    const zero = { accepted: '3', open: '1', planned: '0', billed: '0', included: '0', held: '0', conflicting: '0', written_off: '2' };
    expect(balanceParts(zero).map((part) => [part.name, readable(part.quantity)])).toEqual([
      ['Billed', '0'],
      ['Not billed yet', '1'],
      ['Not billed', '2'],
    ]);
  });
});

describe('an entitlement', () => {
  it.each([
    ['integer', '1500', '1,500'],
    ['double', '1.5', '1.5'],
    ['double', '1.00000001', '1.00000001'],
    ['boolean', 'true', 'included'],
    ['boolean', 'false', 'not included'],
    ['string', 'gold', 'gold'],
  ])('%s %s is read as %s', (type, value, text) => {
    expect(entitledTo({ type, value })).toBe(text);
  });
});

describe('history', () => {
  const entry = { cause: 'notification', name: 'License Updated - Manufacturer', changes: [], notice: null } as const;

  it('says each change', () => {
    const changes = [
      { attribute: 'status', before: 'pending', after: 'active' },
      { attribute: 'access', before: 'denied', after: 'granted' },
      { attribute: 'agreement_id', before: null, after: 'agmt-1' },
      { attribute: 'subscription_id', before: null, after: 'sub_1' },
      { attribute: 'agreement_ends_at', before: null, after: '2027-08-20T14:23:11Z' },
      { attribute: 'something_new', before: 1, after: 2 },
    ];
    expect(historySentences({ ...entry, changes })).toEqual([
      'Status: active.',
      'Access granted.',
      'The agreement ends on 20 Aug 2027.',
      'Something new changed.',
    ]);
  });

  it('says a notice by AWS’s name for it', () => {
    const name = 'Purchase Agreement Renewal Upcoming - Proposer';
    expect(historySentences({ ...entry, name, notice: {} })).toEqual(['AWS Marketplace says: Purchase Agreement Renewal Upcoming.']);
  });

  it('says something where nothing of it is for buyers', () => {
    expect(historySentences({ ...entry, changes: [{ attribute: 'offer_id', after: 'o' }] })).toHaveLength(1);
    expect(historySentences({ ...entry, cause: 'time' })).toEqual(['Its last hour was over.']);
    expect(historySentences({ cause: 'answer', changes: [] })).toEqual(['AWS Marketplace was asked about it.']);
  });
});

it('puts first what runs, and keeps the rest as it came', () => {
  const held = [
    { status: 'ended', id: 1 },
    { status: 'active', id: 2 },
    { status: 'pending', id: 3 },
    { status: 'active', id: 4 },
  ] as const;
  expect(inOrder(held).map((one) => one.id)).toEqual([2, 4, 3, 1]);
});
