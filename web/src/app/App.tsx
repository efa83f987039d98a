import { lazy, Suspense, use } from 'react';
import { Redirect, Route, Router, Switch } from 'wouter';
import { useHashLocation } from 'wouter/use-hash-location';
import { Billing } from '../pages/Billing';
import { Endpoints } from '../pages/Endpoints';
import { NewEndpoint } from '../pages/NewEndpoint';
import { NotFound } from '../pages/NotFound';
import { Settings } from '../pages/Settings';
import { SubscriptionPage } from '../pages/SubscriptionPage';
import { Subscriptions } from '../pages/Subscriptions';
import { UsagePage } from '../pages/UsagePage';
import { Loading } from '../parts/Loading';
import { AccountGate } from './AccountGate';
import { Frame } from './Frame';
import { SignInGate } from './SignInGate';

/** Loaded by operators only. */
const Console = lazy(() => import('../operator/Console'));

const BUYERS_NAV = [
  { to: '/', text: 'Subscriptions', also: '/subscriptions/' },
  { to: '/usage', text: 'Usage', also: '/usage/' },
  { to: '/billing', text: 'Billing', also: '/billing/' },
  { to: '/endpoints', text: 'Endpoints', also: '/endpoints/' },
  { to: '/settings', text: 'Settings' },
];

/**
 * The portal and, below `#/operator`, the console.
 *
 * @param begun when it is known whether somebody is signed in.
 */
export function App({ begun }: { begun: Promise<void> }) {
  return (
    <Router hook={useHashLocation}>
      <Suspense fallback={<Frame nav={[]} isPassing><Loading what="Signing in" /></Frame>}>
        <Begun begun={begun} />
      </Suspense>
    </Router>
  );
}

function Begun({ begun }: { begun: Promise<void> }) {
  use(begun);
  return (
    <Switch>
      <Route path="/operator/*?">
        <Suspense fallback={<Frame nav={[]} isPassing><Loading what="Loading the console" /></Frame>}>
          <Console />
        </Suspense>
      </Route>
      <Route>
        <SignInGate role="buyer">
          <Frame nav={BUYERS_NAV}>
            <AccountGate>
              <BuyersPages />
            </AccountGate>
          </Frame>
        </SignInGate>
      </Route>
    </Switch>
  );
}

function BuyersPages() {
  return (
    <Switch>
      <Route path="/" component={Subscriptions} />
      <Route path="/subscriptions"><Redirect to="/" replace /></Route>
      <Route path="/subscriptions/:id">{({ id }) => <SubscriptionPage key={id} subscriptionId={id} />}</Route>
      <Route path="/usage/:id?/:month?">{({ id, month }) => <UsagePage subscriptionId={id} month={month} />}</Route>
      <Route path="/billing/:id?">{({ id }) => <Billing subscriptionId={id} />}</Route>
      <Route path="/endpoints" component={Endpoints} />
      <Route path="/endpoints/new" component={NewEndpoint} />
      <Route path="/settings" component={Settings} />
      <Route component={NotFound} />
    </Switch>
  );
}
