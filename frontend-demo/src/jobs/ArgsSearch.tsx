/** Searches the arguments of the loaded jobs, while the user types. */
import { useEffect, useRef, useState } from 'react';
import { Search } from 'lucide-react';

/** After the last key, because each change of the address counts in browsers. */
const DELAY_MS = 250;

type ArgsSearchProps = { value: string; onChange: (text: string) => void };

export function ArgsSearch({ value, onChange }: ArgsSearchProps) {
  const [text, setText] = useState(value);
  const sent = useRef<string[]>([]);
  useEffect(() => {
    // What was sent can come back after the user has typed on.
    const at = sent.current.indexOf(value);
    if (at < 0) setText(value);
    sent.current.splice(0, at < 0 ? Infinity : at + 1);
  }, [value]);
  useEffect(() => {
    if (text.trim() === value) return;
    const timer = setTimeout(() => {
      sent.current.push(text.trim());
      onChange(text.trim());
    }, DELAY_MS);
    return () => clearTimeout(timer);
  }, [text, value]);
  return (
    <label className="search">
      <Search aria-hidden="true" size={15} />
      <span className="unseen">Search in the arguments of the loaded jobs</span>
      <input
        type="search"
        placeholder="Arguments, in the loaded jobs"
        value={text}
        spellCheck={false}
        onChange={(event) => setText(event.target.value)}
      />
    </label>
  );
}
