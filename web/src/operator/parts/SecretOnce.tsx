import { useState } from 'react';

interface SecretOnceProps {
  secret: string;
  onClose: () => void;
}

/** A secret that no other answer will hold. It is kept nowhere but on the screen, until the page is left or it is put away. */
export function SecretOnce({ secret, onClose }: SecretOnceProps) {
  const [copied, setCopied] = useState<boolean | null>(null);
  const copy = () => {
    navigator.clipboard.writeText(secret).then(() => setCopied(true), () => setCopied(false));
  };
  return (
    <section className="box warn secret" aria-label="The new secret">
      <p className="box-title">This is the new secret. It is shown this once.</p>
      <p><code>{secret}</code></p>
      <p className="actions">
        <button type="button" className="button" onClick={copy}>Copy</button>
        <button type="button" className="button quiet" onClick={onClose}>I have it; put it away</button>
        <span role="status">{copied === null ? '' : copied ? 'Copied.' : 'This browser does not let the page copy; select it instead.'}</span>
      </p>
    </section>
  );
}
