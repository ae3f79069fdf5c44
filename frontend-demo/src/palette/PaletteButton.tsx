/** Opens the palette: in the navigation with its key, on narrow screens as an icon. */
import { Search } from 'lucide-react';
import styles from './Palette.module.css';

const KEY = /Mac|iP(hone|ad)/.test(navigator.platform) ? '⌘K' : 'Ctrl K';

type PaletteButtonProps = { onOpen: () => void; isSmall?: boolean };

export function PaletteButton({ onOpen, isSmall }: PaletteButtonProps) {
  const common = { type: 'button', 'aria-haspopup': 'dialog', 'aria-keyshortcuts': 'Control+K Meta+K', onClick: onOpen } as const;
  if (isSmall) {
    return (
      <button {...common} className="icon-button" aria-label="Go to…" title={`Go to… (${KEY})`}>
        <Search aria-hidden="true" size={19} />
      </button>
    );
  }
  return (
    <button {...common} className={styles.trigger}>
      <Search aria-hidden="true" size={15} />
      Go to… <kbd>{KEY}</kbd>
    </button>
  );
}
