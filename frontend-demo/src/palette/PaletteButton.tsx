/** Opens the palette: in the navigation with its key, on narrow screens as an icon. */
import { Search } from 'lucide-react';
import styles from './Palette.module.css';

type PaletteButtonProps = { onOpen: () => void; isSmall?: boolean };

export function PaletteButton({ onOpen, isSmall }: PaletteButtonProps) {
  if (isSmall) {
    return (
      <button type="button" className="icon-button" aria-haspopup="dialog" aria-label="Go to…" onClick={onOpen}>
        <Search aria-hidden="true" size={19} />
      </button>
    );
  }
  return (
    <button type="button" className={styles.trigger} aria-haspopup="dialog" onClick={onOpen}>
      <Search aria-hidden="true" size={15} />
      Go to… <kbd>Ctrl K</kbd>
    </button>
  );
}
