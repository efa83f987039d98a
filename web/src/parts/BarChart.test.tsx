// @vitest-environment jsdom
import { cleanup, render, screen, within } from '@testing-library/react';
import { afterEach, expect, it } from 'vitest';
import { BarChart } from './BarChart';

afterEach(cleanup);

const SLOTS = [
  { key: '2026-11-01', quantity: 0n },
  { key: '2026-11-02', quantity: 100_000n },
  { key: '2026-11-03', quantity: 200_000n },
];

function show(slots = SLOTS) {
  render(<BarChart title="GPU hours by day" slots={slots} nameOf={(key) => `day ${key}`} tickOf={(key) => key} slotTitle="Day" />);
}

it('says in words what it shows', () => {
  show();
  expect(screen.getByRole('img').getAttribute('aria-label')).toBe(
    'GPU hours by day: 0.3 together; the most is 0.2, day 2026-11-03.',
  );
});

it('has the same as a table, with an exact sum', () => {
  show();
  const rows = within(screen.getByRole('table', { hidden: true })).getAllByRole('row', { hidden: true });
  expect(rows.map((row) => row.textContent)).toEqual(['DayQuantity', 'day 2026-11-02Quantity0.1', 'day 2026-11-03Quantity0.2', 'Together0.3']);
});

it('is drawn where nothing was used, too', () => {
  show(SLOTS.slice(0, 1));
  expect(screen.getByRole('img').getAttribute('aria-label')).toBe('GPU hours by day: 0 together.');
});
