import { SubNav, type SubNavItem } from './SubNav';

const CUSTOMERS: readonly SubNavItem[] = [
  { to: '/operator', text: 'Customers', also: '/operator/customers' },
  { to: '/operator/outbox', text: 'Outbox', also: '/operator/outbox/' },
];
const METERING: readonly SubNavItem[] = [
  { to: '/operator/metering', text: 'Health' },
  { to: '/operator/metering/records', text: 'Records', also: '/operator/metering/record' },
  { to: '/operator/metering/held', text: 'Held usage' },
  { to: '/operator/metering/runs', text: 'Runs', also: '/operator/metering/runs/' },
];
const NEWS: readonly SubNavItem[] = [
  { to: '/operator/news', text: 'Messages', also: '/operator/news/message' },
  { to: '/operator/news/dead-letters', text: 'Dead letters' },
];
const RECONCILIATIONS: readonly SubNavItem[] = [
  { to: '/operator/reconciliations', text: 'Agreements', also: '/operator/reconciliations/agreements' },
  { to: '/operator/reconciliations/bills', text: 'Bills', also: '/operator/reconciliations/bills/' },
];
const WEBHOOKS: readonly SubNavItem[] = [
  { to: '/operator/webhooks', text: 'Endpoints', also: '/operator/webhooks/endpoint' },
  { to: '/operator/webhooks/deliveries', text: 'Deliveries', also: '/operator/webhooks/deliver' },
];

export const CustomersNav = () => <SubNav label="Customers" items={CUSTOMERS} />;
export const MeteringNav = () => <SubNav label="Metering" items={METERING} />;
export const NewsNav = () => <SubNav label="News" items={NEWS} />;
export const ReconciliationsNav = () => <SubNav label="Reconciliations" items={RECONCILIATIONS} />;
export const WebhooksNav = () => <SubNav label="Webhooks" items={WEBHOOKS} />;
