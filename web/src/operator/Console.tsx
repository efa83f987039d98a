import './console.css';
import { Route, Switch } from 'wouter';
import { Frame } from '../app/Frame';
import { SignInGate } from '../app/SignInGate';
import { NotFound } from '../pages/NotFound';
import { idFrom } from './addresses';
import { CustomerPage } from './customers/CustomerPage';
import { OutboxPage } from './customers/OutboxPage';
import { Customers } from './Customers';
import { HealthPage } from './metering/HealthPage';
import { HeldPage } from './metering/HeldPage';
import { RecordPage } from './metering/RecordPage';
import { RecordsPage } from './metering/RecordsPage';
import { RunPage } from './metering/RunPage';
import { RunsPage } from './metering/RunsPage';
import { DeadLettersPage } from './news/DeadLettersPage';
import { MessagePage } from './news/MessagePage';
import { NewsPage } from './news/NewsPage';
import { AgreementsComparedPage } from './reconciliations/AgreementsComparedPage';
import { AgreementsPage } from './reconciliations/AgreementsPage';
import { BillsComparedPage } from './reconciliations/BillsComparedPage';
import { BillsPage } from './reconciliations/BillsPage';
import { SubscriptionPage } from './subscriptions/SubscriptionPage';
import { SubscriptionsPage } from './subscriptions/SubscriptionsPage';
import { DeliveriesPage } from './webhooks/DeliveriesPage';
import { DeliveryPage } from './webhooks/DeliveryPage';
import { NewWebhookPage } from './webhooks/NewWebhookPage';
import { ReplayPage } from './webhooks/ReplayPage';
import { WebhookPage } from './webhooks/WebhookPage';
import { WebhooksPage } from './webhooks/WebhooksPage';

/** The console's areas, in the order of the navigation. */
const NAV = [
  { to: '/operator', text: 'Customers', also: '/operator/customers' },
  { to: '/operator/subscriptions', text: 'Subscriptions', also: '/operator/subscriptions/' },
  { to: '/operator/metering', text: 'Metering', also: '/operator/metering/' },
  { to: '/operator/news', text: 'News', also: '/operator/news/' },
  { to: '/operator/reconciliations', text: 'Compare', also: '/operator/reconciliations/' },
  { to: '/operator/webhooks', text: 'Webhooks', also: '/operator/webhooks/' },
];

/** The operator's console. A chunk of its own: buyers never load it. */
export default function Console() {
  return (
    <SignInGate role="operator" area="Console">
      <Frame nav={NAV} area="Console">
        <Switch>
          <Route path="/operator" component={Customers} />
          <Route path="/operator/customers" component={Customers} />
          <Route path="/operator/customers/:id">{({ id }) => <CustomerPage key={id} customerId={idFrom(id)} />}</Route>
          <Route path="/operator/outbox/:state?">{({ state }) => <OutboxPage state={state} />}</Route>
          <Route path="/operator/subscriptions" component={SubscriptionsPage} />
          <Route path="/operator/subscriptions/:id">{({ id }) => <SubscriptionPage key={id} subscriptionId={idFrom(id)} />}</Route>
          <Route path="/operator/metering" component={HealthPage} />
          <Route path="/operator/metering/records/:outcome?/:id?">{({ outcome, id }) => <RecordsPage key={`${outcome}/${id}`} outcome={outcome} subscriptionId={id} />}</Route>
          <Route path="/operator/metering/record/:id">{({ id }) => <RecordPage key={id} recordId={idFrom(id)} />}</Route>
          <Route path="/operator/metering/held" component={HeldPage} />
          <Route path="/operator/metering/runs" component={RunsPage} />
          <Route path="/operator/metering/runs/:id">{({ id }) => <RunPage key={id} runId={idFrom(id)} />}</Route>
          <Route path="/operator/news" component={NewsPage} />
          <Route path="/operator/news/message/:id">{({ id }) => <MessagePage key={id} notificationId={idFrom(id)} />}</Route>
          <Route path="/operator/news/dead-letters" component={DeadLettersPage} />
          <Route path="/operator/reconciliations" component={AgreementsPage} />
          <Route path="/operator/reconciliations/agreements/:id">{({ id }) => <AgreementsComparedPage key={id} id={idFrom(id)} />}</Route>
          <Route path="/operator/reconciliations/bills" component={BillsPage} />
          <Route path="/operator/reconciliations/bills/:id">{({ id }) => <BillsComparedPage key={id} id={idFrom(id)} />}</Route>
          <Route path="/operator/webhooks" component={WebhooksPage} />
          <Route path="/operator/webhooks/endpoint/new" component={NewWebhookPage} />
          <Route path="/operator/webhooks/endpoint/:id">{({ id }) => <WebhookPage key={id} endpointId={idFrom(id)} />}</Route>
          <Route path="/operator/webhooks/endpoint/:id/replays/:replay">
            {({ id, replay }) => <ReplayPage endpointId={idFrom(id)} replayId={idFrom(replay)} />}
          </Route>
          <Route path="/operator/webhooks/deliveries/:state?/:id?">{({ state, id }) => <DeliveriesPage key={`${state}/${id}`} state={state} endpointId={id} />}</Route>
          <Route path="/operator/webhooks/delivery/:id">{({ id }) => <DeliveryPage key={id} deliveryId={idFrom(id)} />}</Route>
          <Route component={NotFound} />
        </Switch>
      </Frame>
    </SignInGate>
  );
}
