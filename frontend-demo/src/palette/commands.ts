/** The commands of the palette. */
import { changeToken } from '../app/UserMenu';
import type { Session } from '../app/session';
import { chooseTheme } from '../app/theme';
import type { Theme } from '../app/theme';
import type { Place } from './places';

const THEMES: readonly (readonly [Theme, string])[] = [
  ['light', 'light'],
  ['dark', 'dark'],
  ['system', 'as the system'],
];

/** `theme` is the one that is used: it is not offered. */
export function commandsOf({ access, viewer }: Pick<Session, 'access' | 'viewer'>, theme: Theme): Place[] {
  const { signIn, pasted } = access;
  const forms: Omit<Place, 'kind'>[] = [
    { label: 'Schedule a job', to: '/jobs', dialog: 'schedule job' },
    { label: 'Register a cron', to: '/crons', dialog: 'register cron' },
  ];
  const commands: Omit<Place, 'kind'>[] = [
    ...(viewer.functions ? forms : []),
    ...THEMES.filter(([name]) => name !== theme).map(([name, label]) => ({
      label: `Switch theme: ${label}`,
      run: () => chooseTheme(name),
    })),
    ...(signIn ? [{ label: 'Sign out', run: () => void signIn.end() }] : []),
    ...(pasted ? [{ label: 'Change token', run: changeToken }] : []),
  ];
  return commands.map((command) => ({ ...command, kind: 'Command' }));
}
