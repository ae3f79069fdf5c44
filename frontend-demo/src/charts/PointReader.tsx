/** Reads the values of a chart at one point: a slider for the keyboard, and a box beside the pointer. */
import { readAloud, readoutOf } from './readout';
import type { Charted } from './readout';
import styles from './TimeChart.module.css';

type PointReaderProps = {
  charted: Charted & { label: string };
  /** The point that is read; null if there is none. */
  point: number | null;
  onMove: (point: number) => void;
  onLeave: () => void;
};

export function PointReader({ charted, point, onMove, onLeave }: PointReaderProps) {
  const last = charted.times.length - 1;
  const slider = readoutOf(charted, point ?? last);
  if (!slider) return null;
  const readout = readoutOf(charted, point);
  return (
    <>
      <input
        type="range"
        className="unseen"
        aria-label={`${charted.label}: values`}
        min={0}
        max={last}
        value={point ?? last}
        aria-valuetext={readAloud(slider)}
        onFocus={() => onMove(point ?? last)}
        onChange={(event) => onMove(Number(event.target.value))}
        onBlur={onLeave}
      />
      {readout && (
        <p className={`${styles.readout} ${point! > last / 2 ? styles.early : styles.late}`} aria-hidden="true">
          <b>{readout.period}</b>
          {readout.values.map(({ name, text }) => (
            <span key={name}>
              {name} {text}
            </span>
          ))}
        </p>
      )}
    </>
  );
}
