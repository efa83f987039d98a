import './style/tokens.css';
import './style/base.css';
import './style/frame.css';
import './style/parts.css';
import './style/charts.css';
import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createQueryClient } from './api/queryClient';
import { connect, ServicesContext } from './api/services';
import { App } from './app/App';
import { NotConfigured } from './app/NotConfigured';
import { type Config, loadConfig } from './config/config';
import { ConfigContext } from './config/ConfigContext';
import { Session } from './session/Session';
import { SessionContext } from './session/SessionContext';

const place = document.getElementById('root');
if (place === null) throw new Error('The page has no place for the application.');
const root = createRoot(place);

async function start(): Promise<void> {
  let config: Config;
  try {
    config = await loadConfig();
  } catch (error) {
    root.render(<NotConfigured reason={error instanceof Error ? error.message : String(error)} />);
    return;
  }
  const page = new URL('./', window.location.href);
  page.search = page.hash = '';
  const session = new Session(config, page.href);
  const services = connect(config, session);
  const cache = createQueryClient();
  // What one person was shown is not kept for the next one.
  session.subscribe(() => {
    if (session.state.kind !== 'signed-in') cache.clear();
  });
  const begun = session.begin();
  root.render(
    <StrictMode>
      <ConfigContext value={config}>
        <SessionContext value={session}>
          <ServicesContext value={services}>
            <QueryClientProvider client={cache}>
              <App begun={begun} />
            </QueryClientProvider>
          </ServicesContext>
        </SessionContext>
      </ConfigContext>
    </StrictMode>,
  );
}

void start();
