import { describe, expect, it } from 'vitest';
import { DECISIONS, decisionSaid, isToDecide, OPEN_OUTCOMES, reasonFrom } from './decisions';

describe('isToDecide', () => {
  it.each([...OPEN_OUTCOMES])('asks a person about %s', (outcome) => {
    expect(isToDecide({ outcome, resolution: null })).toBe(true);
  });

  it.each(['planned', 'billed', 'expired'])('asks nobody about %s', (outcome) => {
    expect(isToDecide({ outcome, resolution: null })).toBe(false);
  });

  it('asks nobody once it is decided', () => {
    expect(isToDecide({ outcome: 'unknown', resolution: { decision: 'billed' } })).toBe(false);
  });
});

it('has words for each decision', () => {
  for (const { value } of DECISIONS) expect(decisionSaid(value).meaning).not.toBe('');
});

describe('reasonFrom', () => {
  it('takes blank space for no reason', () => {
    expect(reasonFrom(' \n ')).toBeNull();
  });

  it('keeps what the contract takes', () => {
    expect(reasonFrom('  case 1234 ')).toBe('case 1234');
    expect(reasonFrom('a'.repeat(600))).toHaveLength(500);
  });
});
