/** Cancels or retries all jobs that match the filter, also those that are not loaded. */
import { useState } from 'react';
import { AlertDialog } from '@base-ui/react/alert-dialog';
import { Menu } from '@base-ui/react/menu';
import { useSession } from '../../app/session';
import type { JobCounts } from '../counts';
import type { JobsFilter } from '../filter';
import { BulkConfirm, NAMES, countText } from './BulkConfirm';
import type { BulkConfirmProps } from './BulkConfirm';
import { offerOf } from './changes';
import type { BulkKind, Offer } from './changes';

type BulkMenuProps = { filter: JobsFilter; counts: JobCounts };

export function BulkMenu({ filter, counts }: BulkMenuProps) {
  const { viewer } = useSession();
  const [asked, setAsked] = useState<Omit<BulkConfirmProps, 'onDone'> | null>(null);
  const [open, setOpen] = useState(false);
  const ask = (kind: BulkKind, offer: Offer): void => {
    if (!offer.possible) return;
    setAsked({ kind, offer });
    setOpen(true);
  };
  return (
    <>
      <Menu.Root>
        <Menu.Trigger>Change all…</Menu.Trigger>
        <Menu.Portal>
          <Menu.Positioner sideOffset={4} align="start" className="popup-layer">
            <Menu.Popup className="popup popup-list">
              {(['CANCEL_JOBS', 'RETRY_JOBS'] as const).map((kind) => {
                const offer = offerOf(kind, filter, counts, viewer.isAdmin);
                return (
                  <Menu.Item
                    key={kind}
                    className="popup-item"
                    disabled={!offer.possible}
                    onClick={() => ask(kind, offer)}
                  >
                    {NAMES[kind].verb} {offer.possible ? countText(offer) : 'all'}
                    {!offer.possible && <span className="hint popup-hint">{offer.reason}</span>}
                  </Menu.Item>
                );
              })}
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
      {/* The dialog keeps its content while it closes. */}
      <AlertDialog.Root open={open} onOpenChange={setOpen}>
        <AlertDialog.Portal>
          <AlertDialog.Backdrop className="backdrop" />
          {asked && <BulkConfirm {...asked} onDone={() => setOpen(false)} />}
        </AlertDialog.Portal>
      </AlertDialog.Root>
    </>
  );
}
