import { createContext, use, useSyncExternalStore } from 'react';
import type { Session, SessionState } from './Session';

export const SessionContext = createContext<Session | null>(null);

/** The session itself: to sign in, to sign out. */
export function useSession(): Session {
  const session = use(SessionContext);
  if (session === null) throw new Error('There is no session here.');
  return session;
}

/** Who is signed in, drawn anew when that changes. */
export function useSessionState(): SessionState {
  const session = useSession();
  return useSyncExternalStore(session.subscribe, () => session.state);
}
