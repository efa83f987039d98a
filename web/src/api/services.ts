import createClient, { type Client } from 'openapi-fetch';
import { createContext, use } from 'react';
import type { Config } from '../config/config';
import type { Session } from '../session/Session';
import type { paths as Metering } from './generated/metering';
import type { paths as Notifications } from './generated/notifications';
import type { paths as Registration } from './generated/registration';
import { errorFrom, type Service, unreachable } from './ServiceError';

/** The three services, each by the types of its contract, with the token on each call. */
export interface Services {
  readonly registration: Client<Registration>;
  readonly notifications: Client<Notifications>;
  readonly metering: Client<Metering>;
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

export function connect(config: Config, session: Session): Services {
  const client = <Paths extends object>(service: Service): Client<Paths> => {
    // The browser's cookies stay out of it: the token alone says who asks.
    const made = createClient<Paths>({ baseUrl: config.services[service], credentials: 'omit', cache: 'no-store' });
    made.use({
      onRequest: ({ request }) => {
        if (session.accessToken !== null) request.headers.set('Authorization', `Bearer ${session.accessToken}`);
        return request;
      },
      onResponse: ({ response }) => {
        if (response.status === 401) session.expire();
        return response;
      },
      onError: () => unreachable(service),
    });
    return made;
  };
  return {
    registration: client<Registration>('registration'),
    notifications: client<Notifications>('notifications'),
    metering: client<Metering>('metering'),
  };
}

/**
 * The body of an answer.
 *
 * @throws ServiceError nobody answered, or the answer is a problem.
 */
export async function bodyOf<T>(service: Service, call: Promise<Answer<T>>): Promise<T> {
  return (await answerOf(service, call)).body;
}

/** The same with the answer's ETag, where the service lets a browser see it. */
export async function answerOf<T>(
  service: Service,
  call: Promise<Answer<T>>,
): Promise<{ body: T; etag: string | null }> {
  const { data, error, response } = await call;
  if (!response.ok) throw errorFrom(service, response.status, error);
  return { body: data as T, etag: response.headers.get('ETag') };
}

export const ServicesContext = createContext<Services | null>(null);

export function useServices(): Services {
  const services = use(ServicesContext);
  if (services === null) throw new Error('There are no services here.');
  return services;
}
