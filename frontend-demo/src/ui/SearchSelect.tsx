/** Chooses one of many texts by typing a part of it, such as a time zone or a function. */
import { Combobox } from '@base-ui/react/combobox';
import type { ControlProps } from '../form/Field';

type SearchSelectProps = {
  options: readonly string[];
  value: string;
  onChange: (value: string) => void;
  /** From `Field`: the label, the description and the name. */
  control?: ControlProps;
  /** Without a `Field`. */
  label?: string;
  placeholder?: string;
};

export function SearchSelect(props: SearchSelectProps) {
  const { options, value, onChange, control, label, placeholder } = props;
  return (
    <Combobox.Root
      items={options}
      value={value === '' ? null : value}
      onValueChange={(chosen) => onChange(chosen ?? '')}
      {...(control && { name: control.name })}
    >
      <Combobox.Input
        {...(control && {
          id: control.id,
          'aria-describedby': control['aria-describedby'],
          'aria-invalid': control['aria-invalid'],
        })}
        aria-label={label}
        placeholder={placeholder}
      />
      <Combobox.Portal>
        <Combobox.Positioner sideOffset={4} className="popup-layer">
          <Combobox.Popup className="popup">
            <Combobox.Empty className="popup-empty">Nothing matches.</Combobox.Empty>
            <Combobox.List className="popup-list">
              {(option: string) => (
                <Combobox.Item key={option} value={option} className="popup-item">
                  {option}
                </Combobox.Item>
              )}
            </Combobox.List>
          </Combobox.Popup>
        </Combobox.Positioner>
      </Combobox.Portal>
    </Combobox.Root>
  );
}
