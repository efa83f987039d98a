import { Link } from 'wouter';
import { Page } from '../parts/Page';

export function NotFound() {
  return (
    <Page title="There is no such page" narrow>
      <p>The address may be mistyped, or from an older link.</p>
      <p className="actions"><Link href="/" className="button">Go to your subscriptions</Link></p>
    </Page>
  );
}
