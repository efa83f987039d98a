import { onlineManager } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';

/** Says when the machine has no network; what is asked meanwhile waits until it is back. */
export function ConnectionNotice() {
  const online = useSyncExternalStore(
    (changed) => onlineManager.subscribe(changed),
    () => onlineManager.isOnline(),
  );
  return (
    <div role="status" className="connection">
      {online ? null : <p>You are offline. What you see may be old; the rest comes once you are connected again.</p>}
    </div>
  );
}
