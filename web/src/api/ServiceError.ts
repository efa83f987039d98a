import type { components } from './generated/metering';

export type Service = 'registration' | 'notifications' | 'metering';
type Problem = components['schemas']['Problem'];

/** Why a call brought no answer: nobody answered, or what the problem document says. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';

  constructor(
    readonly service: Service,
    /** The HTTP status; null where nobody answered. */
    readonly status: number | null,
    readonly title: string,
    readonly detail: string | null = null,
    /** The last part of the problem's `type`, such as `access-not-granted`. */
    readonly problem: string | null = null,
    /** What was wrong with each field of the body, by its JSON Pointer. */
    readonly places: Readonly<Record<string, string>> = {},
    /** The request's id in the service's log. */
    readonly requestId: string | null = null,
  ) {
    super(title);
  }

  /** Whether the same call may succeed a little later. */
  get isPassing(): boolean {
    return this.status === null || this.status === 429 || this.status >= 500;
  }
}

/** Nobody answered: the machine is offline, the service is away, or the browser was not allowed to ask. */
export function unreachable(service: Service): ServiceError {
  return new ServiceError(
    service,
    null,
    'This part of the portal cannot be reached.',
    'Check your connection, then try again.',
  );
}

/**
 * What an answer with a status of 400 or above says.
 *
 * @param body the decoded body; a problem document (RFC 9457), or anything else where a proxy answered.
 */
export function errorFrom(service: Service, status: number, body: unknown): ServiceError {
  if (!isProblem(body)) {
    return new ServiceError(service, status, 'The service answered in a way that this page does not understand.');
  }
  const places: Record<string, string> = {};
  for (const place of body.errors ?? []) if (place.in === 'body') places[place.path] ??= place.reason;
  return new ServiceError(
    service,
    status,
    body.title,
    body.detail ?? null,
    body.type.split('/').at(-1) ?? null,
    places,
    body.instance ?? null,
  );
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'title' in body && 'type' in body && typeof body.type === 'string';
}
