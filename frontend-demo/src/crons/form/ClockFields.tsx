/** The fields for what happens to a cronspec when the clocks change. */
import { Field } from '../../form/Field';
import type { FormIssues } from '../../form/issues';
import type { FoldPolicy, GapPolicy } from '../../generated';
import { Options } from '../../form/Options';

export type ClockRules = { onGap: GapPolicy; onFold: FoldPolicy };

export const USUAL: ClockRules = { onGap: 'NEXT', onFold: 'FIRST' };

const GAPS: readonly (readonly [GapPolicy, string])[] = [
  ['NEXT', 'run right after it'],
  ['SKIP', 'do not run'],
];
const FOLDS: readonly (readonly [FoldPolicy, string])[] = [
  ['FIRST', 'run the first time'],
  ['LAST', 'run the second time'],
  ['BOTH', 'run both times'],
];

export function ClockFields({ issues, initial }: { issues: FormIssues; initial: ClockRules }) {
  const isOpen = initial.onGap !== USUAL.onGap || initial.onFold !== USUAL.onFold;
  return (
    <details className="more" open={isOpen}>
      <summary>When the clocks change</summary>
      <div className="pair">
        <Field name="onGap" label="A time that is skipped" issues={issues}>
          {(control) => (
            <select {...control} defaultValue={initial.onGap}>
              <Options options={GAPS} />
            </select>
          )}
        </Field>
        <Field name="onFold" label="A time that is repeated" issues={issues}>
          {(control) => (
            <select {...control} defaultValue={initial.onFold}>
              <Options options={FOLDS} />
            </select>
          )}
        </Field>
      </div>
    </details>
  );
}
