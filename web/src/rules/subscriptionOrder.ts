interface Held {
  readonly status: 'pending' | 'active' | 'ending' | 'ended' | 'failed';
}

const ORDER: readonly Held['status'][] = ['active', 'pending', 'ending', 'failed', 'ended'];

/** What runs first, what is over last; else as they came. */
export function inOrder<One extends Held>(subscriptions: readonly One[]): One[] {
  return [...subscriptions].sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status));
}
