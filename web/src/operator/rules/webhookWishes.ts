/** What endpoints can be told; the list of `WebhookEventType` in openapi/notifications.yaml. */
export const EVENT_TYPES = [
  'subscription.pending', 'subscription.activated', 'subscription.changed', 'subscription.entitlements_changed',
  'subscription.ending', 'subscription.ended', 'subscription.failed', 'agreement.advisory_issued',
  'agreement.advisory_resolved', 'agreement.ending', 'agreement.renewal_terms_finalized', 'agreement.renewal_upcoming',
  'agreement.cancellation_pending_approval', 'agreement.cancellation_approved', 'agreement.cancellation_rejected',
  'agreement.cancellation_cancelled', 'agreement.cancellation_validation_failed', 'agreement.billing_adjustment_completed',
  'agreement.billing_adjustment_failed', 'agreement.spend_threshold_reached', 'agreement.spend_vet_succeeded',
  'agreement.spend_vet_failed',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** What was chosen as it is sent: nothing chosen means everything, what is yet to come included. */
export function typesWished(chosen: ReadonlySet<EventType>): EventType[] | null {
  return chosen.size === 0 ? null : EVENT_TYPES.filter((one) => chosen.has(one));
}

/** Seconds for a number of hours, within what the contract takes (a week); null where it is no such number. */
export function overlapSeconds(hours: string): number | null {
  if (!/^\d{1,3}$/.test(hours.trim())) return null;
  const seconds = Number(hours) * 3_600;
  return seconds <= 604_800 ? seconds : null;
}
