/** In the application's place where `config.json` is missing or wrong: for whoever installs it. */
export function NotConfigured({ reason }: { reason: string }) {
  return (
    <main>
      <div className="sheet narrow">
        <h1>This portal is not configured</h1>
        <p>{reason}</p>
        <p className="soft">Reload the page once that is mended.</p>
      </div>
    </main>
  );
}
