// @vitest-environment jsdom
import { cleanup, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { List } from '../api/pages';
import { ServiceError } from '../api/ServiceError';
import { ListOf } from './ListOf';

afterEach(cleanup);

const LIST: List<string> = { items: undefined, error: null, isFetching: false, hasMore: false, more: vi.fn(), retry: vi.fn() };
const AWAY = new ServiceError('metering', 503, 'A part this service needs is away.', 'The tables cannot be reached.', null, {}, 'req-9');

function show(list: Partial<List<string>>) {
  render(
    <ListOf list={{ ...LIST, ...list }} loading="Loading things" empty={<p>Nothing here.</p>}>
      {(items) => <ul>{items.map((one) => <li key={one}>{one}</li>)}</ul>}
    </ListOf>,
  );
}

describe('a list', () => {
  it('says that it is on its way', () => {
    show({});
    expect(screen.getByRole('status').textContent).toContain('Loading things');
  });

  it('says what is wrong, and asks again', async () => {
    const retry = vi.fn();
    show({ error: AWAY, retry });
    expect(screen.getByRole('alert').textContent).toContain('The tables cannot be reached.');
    expect(screen.getByRole('alert').textContent).toContain('req-9');
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(retry).toHaveBeenCalledOnce();
  });

  it('says that there is nothing', () => {
    show({ items: [] });
    expect(screen.getByText('Nothing here.')).toBeTruthy();
  });

  it('does not say so while an empty page goes on', () => {
    show({ items: [], hasMore: true });
    expect(screen.queryByText('Nothing here.')).toBeNull();
    expect(screen.getByRole('button', { name: 'Show more' })).toBeTruthy();
  });

  it('keeps what it has when the next page is in trouble', () => {
    show({ items: ['a'], hasMore: true, error: AWAY });
    expect(screen.getByText('a')).toBeTruthy();
    expect(screen.getByRole('alert')).toBeTruthy();
    expect(screen.queryByRole('button', { name: 'Show more' })).toBeNull();
  });

  it('shows more, once at a time', async () => {
    const more = vi.fn();
    show({ items: ['a'], hasMore: true, more });
    await userEvent.click(screen.getByRole('button', { name: 'Show more' }));
    expect(more).toHaveBeenCalledOnce();
    expect(screen.getByText('1 shown, there are more.')).toBeTruthy();
  });
});
