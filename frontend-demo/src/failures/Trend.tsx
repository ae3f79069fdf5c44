/** How many failures there were in each of the last 24 hours: a small chart, and a sentence for screen readers. */
import styles from './Failures.module.css';
import { describeTrend, heightsOf } from './trend';

const WIDTH = 96;
const HEIGHT = 28;

export function Trend({ values }: { values: readonly number[] }) {
  const step = WIDTH / values.length;
  const text = describeTrend(values);
  return (
    <svg className={styles.trend} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} role="img" aria-label={text}>
      <title>{text}</title>
      {heightsOf(values, HEIGHT).map((height, index) => (
        <rect key={index} x={index * step} y={HEIGHT - height} width={step - 1} height={height} data-empty={values[index] === 0} />
      ))}
    </svg>
  );
}
