import { ServiceError } from '../api/ServiceError';

/** What a problem says about the fields of a form, by their names: of `/name` under `name`. */
export function fieldErrors(error: unknown): Partial<Record<string, string>> {
  if (!(error instanceof ServiceError)) return {};
  return Object.fromEntries(Object.entries(error.places).map(([path, reason]) => [path.split('/')[1] ?? '', reason]));
}
