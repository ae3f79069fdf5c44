/** Copies the call that schedules a job like this one. */
import { Menu } from '@base-ui/react/menu';
import { useSession } from '../../app/session';
import { copyText } from '../../ui/copyText';
import { useToasts } from '../../ui/Toasts';
import { asCurl, asGraphQL, asPython } from './snippets';
import type { Scheduled } from './snippets';

export function CopyMenu({ job }: { job: Scheduled }) {
  const { access } = useSession();
  const toasts = useToasts();
  const copy = async (name: string, text: string): Promise<void> => {
    await copyText(text);
    toasts.add({ title: `Copied as ${name}` });
  };
  const choices: [string, string][] = [
    ['GraphQL', asGraphQL(job)],
    ['Python', asPython(job)],
    ['curl', asCurl(job, access.httpUrl)],
  ];
  return (
    <Menu.Root>
      <Menu.Trigger className="small">Copy as…</Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner sideOffset={4} align="end" className="popup-layer">
          <Menu.Popup className="popup popup-list">
            {choices.map(([name, text]) => (
              <Menu.Item key={name} className="popup-item" onClick={() => void copy(name, text)}>
                {name}
              </Menu.Item>
            ))}
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
