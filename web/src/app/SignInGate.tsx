import { type ReactNode, useState } from 'react';
import { useConfig } from '../config/ConfigContext';
import { Page } from '../parts/Page';
import type { Role, SessionState } from '../session/Session';
import { useSession, useSessionState } from '../session/SessionContext';
import { Frame } from './Frame';

interface SignInGateProps {
  /** As what one has to be signed in. A token has one role's scope: who is signed in as another signs in anew. */
  role: Role;
  area?: string;
  children: ReactNode;
}

/** Shows its children to who is signed in for them, and to all others how to sign in. */
export function SignInGate({ role, area, children }: SignInGateProps) {
  const state = useSessionState();
  if (state.kind === 'signed-in' && state.role === role && state.scopes.includes(role)) return children;
  return (
    <Frame nav={[]} {...(area === undefined ? {} : { area })}>
      <SignIn role={role} state={state} />
    </Frame>
  );
}

function SignIn({ role, state }: { role: Role; state: SessionState }) {
  const session = useSession();
  const { brand } = useConfig();
  const [leaving, setLeaving] = useState(false);
  const { title, words } = said(role, state, brand.seller);
  return (
    <Page title={title} narrow>
      {words.map((sentence) => <p key={sentence}>{sentence}</p>)}
      <p className="actions">
        <button
          type="button"
          className="button"
          disabled={leaving}
          onClick={() => {
            setLeaving(true);
            void session.signIn(role).finally(() => setLeaving(false));
          }}
        >
          {state.kind === 'signed-in' ? 'Sign in with other rights' : 'Sign in'}
        </button>
      </p>
      <div role="status">{leaving ? <p className="soft">Going to the sign-in page …</p> : null}</div>
    </Page>
  );
}

function said(role: Role, state: SessionState, seller: string): { title: string; words: string[] } {
  if (state.kind === 'failed') return { title: state.title, words: [state.detail] };
  if (state.kind === 'signed-in') {
    if (role === 'operator' && state.role === 'operator') {
      return { title: 'This is for operators', words: [`${state.person.name} has no operator’s rights here.`] };
    }
    return role === 'operator'
      ? { title: 'This is for operators', words: [`You are signed in as a buyer. The console needs operator’s rights, for which you sign in once more.`] }
      : { title: 'This is for buyers', words: [`You are signed in as an operator. For your own subscriptions you sign in as a buyer.`] };
  }
  switch (state.because) {
    case 'expired':
      return { title: 'Please sign in again', words: ['Your session is over. You come back to this page.'] };
    case 'signed-out':
      return { title: 'You are signed out', words: ['Nothing of your session is kept in this browser.'] };
    case 'deleted':
      return {
        title: 'Your account is deleted',
        words: [
          'Your name, your e-mail address and all else that was known about you are erased, and you are signed out.',
          'Subscriptions that still run at AWS Marketplace go on there until you cancel them.',
        ],
      };
    case 'not-yet':
      return role === 'operator'
        ? { title: 'Operator’s console', words: ['Sign in to look after customers, subscriptions and bills.'] }
        : {
            title: 'Your subscriptions',
            words: [`Sign in to see what you subscribed to at ${seller}, what you used and what was billed.`],
          };
  }
}
