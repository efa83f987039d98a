import { createContext, use } from 'react';
import type { Config } from './config';

export const ConfigContext = createContext<Config | null>(null);

/** The configuration; there is one wherever the application is drawn. */
export function useConfig(): Config {
  const config = use(ConfigContext);
  if (config === null) throw new Error('There is no configuration here.');
  return config;
}
