import { describe, expect, it } from 'vitest';
import { errorFrom, unreachable } from './ServiceError';

const PROBLEM = {
  type: 'https://marketplane.dev/problems/accelerator-not-offered',
  title: 'The product does not offer this accelerator.',
  status: 400,
  detail: 'It offers CPU, GPU.',
  instance: 'req-1',
  errors: [
    { in: 'body', path: '/accelerator', reason: 'It is not offered.' },
    { in: 'body', path: '/accelerator', reason: 'A second reason.' },
    { in: 'query', path: 'limit', reason: 'It is too large.' },
  ],
};

describe('errors of the services', () => {
  it('says what a problem document says', () => {
    expect(errorFrom('metering', 400, PROBLEM)).toMatchObject({
      title: PROBLEM.title,
      detail: PROBLEM.detail,
      problem: 'accelerator-not-offered',
      places: { '/accelerator': 'It is not offered.' },
      requestId: 'req-1',
      isPassing: false,
    });
  });

  it.each([undefined, '', '<html>Bad gateway</html>', { title: 5 }, null])('has a sentence for %s too', (body) => {
    const error = errorFrom('metering', 502, body);
    expect(error.title).toMatch(/\.$/);
    expect(error.isPassing).toBe(true);
  });

  it.each([
    [429, true],
    [503, true],
    [401, false],
    [404, false],
    [412, false],
  ])('a status of %i may pass: %s', (status, passes) => {
    expect(errorFrom('metering', status, PROBLEM).isPassing).toBe(passes);
  });

  it('asks again where nobody answered', () => {
    expect(unreachable('registration').isPassing).toBe(true);
  });
});
