/** The newest value, after it has not changed for a moment. */
import { useEffect, useState } from 'react';

const QUIET_MS = 300;

/** `key` tells whether two values are equal. */
export function useDebounced<Value>(value: Value, key: string): Value {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), QUIET_MS);
    return () => clearTimeout(timer);
  }, [key]);
  return settled;
}
