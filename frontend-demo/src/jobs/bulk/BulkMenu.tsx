/** Cancels or retries all jobs that match the filter, also those that are not loaded. */
import { Menu } from '@base-ui/react/menu';
import { useSession } from '../../app/session';
import { CancelJobsDocument, RetryJobsDocument } from '../../generated';
import { action } from '../../ui/Actions';
import { useConfirm } from '../../ui/ConfirmDialog';
import type { Question } from '../../ui/ConfirmDialog';
import type { JobCounts } from '../counts';
import type { JobsFilter } from '../filter';
import { NAMES, jobsText, offerOf } from './changes';
import type { BulkKind, PossibleJobsOffer } from './changes';

type BulkMenuProps = { filter: JobsFilter; counts: JobCounts };

function questionOf(kind: BulkKind, offer: PossibleJobsOffer): Question {
  const { verb, states } = NAMES[kind];
  const document = kind === 'CANCEL_JOBS' ? CancelJobsDocument : RetryJobsDocument;
  return {
    title: `${verb} ${jobsText(offer)}?`,
    description: `${offer.count === 1 ? '' : `All ${states} jobs that match the filter now, also those that are not loaded. `}Jobs
      that are created later are not changed. It runs in the background, and can be stopped.`,
    danger: kind === 'CANCEL_JOBS',
    action: action(`${verb} ${offer.count === 1 ? 'it' : 'them'}`, document, { filter: offer.filter }),
  };
}

export function BulkMenu({ filter, counts }: BulkMenuProps) {
  const { viewer } = useSession();
  const { ask, dialog } = useConfirm();
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
                    aria-haspopup="dialog"
                    disabled={!offer.possible}
                    onClick={() => offer.possible && ask(questionOf(kind, offer))}
                  >
                    {NAMES[kind].verb} {offer.possible ? jobsText(offer) : 'all'}
                    {!offer.possible && <span className="hint popup-hint">{offer.reason}</span>}
                  </Menu.Item>
                );
              })}
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
      {dialog}
    </>
  );
}
