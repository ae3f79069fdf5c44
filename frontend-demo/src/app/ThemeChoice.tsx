/** Chooses the colour theme. */
import { Toggle } from '@base-ui/react/toggle';
import { ToggleGroup } from '@base-ui/react/toggle-group';
import { Monitor, Moon, Sun } from 'lucide-react';
import { chooseTheme, useTheme } from './theme';
import type { Theme } from './theme';

const THEMES = [
  { theme: 'system', label: 'Theme of the system', icon: Monitor },
  { theme: 'light', label: 'Light theme', icon: Sun },
  { theme: 'dark', label: 'Dark theme', icon: Moon },
] as const;

export function ThemeChoice() {
  const theme = useTheme();
  return (
    <ToggleGroup
      className="toggle-group"
      aria-label="Theme"
      value={[theme]}
      onValueChange={([chosen]) => chosen && chooseTheme(chosen as Theme)}
    >
      {THEMES.map(({ theme: value, label, icon: Icon }) => (
        <Toggle key={value} value={value} className="toggle" aria-label={label} title={label}>
          <Icon aria-hidden="true" size={15} />
        </Toggle>
      ))}
    </ToggleGroup>
  );
}
