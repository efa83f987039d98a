/** Where each thing has its page in the console. Ids may hold any character, so each is encoded. */
const at = (place: string) => (id: string) => `/operator/${place}/${encodeURIComponent(id)}`;

export const customerAt = at('customers');
export const subscriptionAt = at('subscriptions');
export const recordAt = at('metering/record');
export const runAt = at('metering/runs');
export const newsAt = at('news/message');
export const webhookAt = at('webhooks/endpoint');
export const deliveryAt = at('webhooks/delivery');
export const agreementsComparedAt = at('reconciliations/agreements');
export const billsComparedAt = at('reconciliations/bills');

/** The list of metering records, of one outcome (`all` for each) and, if given, of one subscription. */
export function recordsAt(outcome: string, subscriptionId?: string): string {
  const base = `/operator/metering/records/${outcome}`;
  return subscriptionId === undefined ? base : `${base}/${encodeURIComponent(subscriptionId)}`;
}

/** A replay of an endpoint's events. */
export function replayAt(endpointId: string, replayId: string): string {
  return `${webhookAt(endpointId)}/replays/${encodeURIComponent(replayId)}`;
}

/** The id in an address. What cannot be decoded is an id as it stands. */
export function idFrom(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
