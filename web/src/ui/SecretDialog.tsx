import { CopyButton } from "./CopyButton";
import { Dialog } from "./Dialog";

/** Shows a secret that no later answer contains. */
export function SecretDialog({ title, secret, hint, onClose }: { title: string; secret: string; hint: string; onClose: () => void }) {
  return (
    <Dialog
      title={title}
      onClose={onClose}
      actions={
        <>
          <CopyButton text={secret} />
          <button type="button" class="primary" onClick={onClose}>I have stored it</button>
        </>
      }
    >
      <p class="notice warning">It is shown this once. {hint}</p>
      <pre class="secret"><code>{secret}</code></pre>
    </Dialog>
  );
}
