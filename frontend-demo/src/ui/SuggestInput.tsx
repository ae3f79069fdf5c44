/** A text field that suggests values, such as time zones; any text can be entered. */
import { useEffect, useRef, useState } from 'react';
import { Autocomplete } from '@base-ui/react/autocomplete';
import type { ControlProps } from '../form/Field';

const MAX_SHOWN = 50;

type SuggestInputProps = { control: ControlProps; options: readonly string[]; defaultValue: string };

export function SuggestInput({ control, options, defaultValue }: SuggestInputProps) {
  const { name, ...described } = control;
  const [value, setValue] = useState(defaultValue);
  const input = useRef<HTMLInputElement>(null);
  // A chosen suggestion is no input of the browser: tell the form.
  useEffect(() => void input.current?.dispatchEvent(new Event('input', { bubbles: true })), [value]);
  return (
    <Autocomplete.Root
      items={options}
      value={value}
      onValueChange={setValue}
      limit={MAX_SHOWN}
      name={name}
      openOnInputClick
    >
      <Autocomplete.Input {...described} ref={input} autoComplete="off" />
      <Autocomplete.Portal>
        <Autocomplete.Positioner sideOffset={4} className="popup-layer">
          <Autocomplete.Popup className="popup">
            <Autocomplete.List className="popup-list">
              {(option: string) => (
                <Autocomplete.Item key={option} value={option} className="popup-item">
                  {option}
                </Autocomplete.Item>
              )}
            </Autocomplete.List>
          </Autocomplete.Popup>
        </Autocomplete.Positioner>
      </Autocomplete.Portal>
    </Autocomplete.Root>
  );
}
