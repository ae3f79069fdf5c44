/** A chart of values over time, drawn by uPlot; its values can be read with the pointer, by touch and with arrow keys. */
import { useEffect, useRef, useState } from 'react';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useTheme } from '../app/theme';
import { seriesOptions } from './options';
import type { Series } from './options';
import { PointReader } from './PointReader';
import styles from './TimeChart.module.css';

const HEIGHT = 170;
/** The place of a pointer that is not over the chart. */
const AWAY = { left: -10, top: -10 };

type TimeChartProps = {
  label: string;
  /** Seconds since 1970, increasing. */
  times: readonly number[];
  /** Drawn in this order; null where there is no value. */
  series: readonly Series[];
  /** Writes a value with its unit. */
  format: (value: number) => string;
  /** Bars for numbers of things, lines for durations. */
  kind: 'bars' | 'lines';
};

/** Describe the values: "Failed attempts, in total: retried 0, job failed 1"; of durations, the newest value of each series. */
function summarize({ label, series, format, kind }: TimeChartProps): string {
  const described = series.map(({ name, values }) => {
    const known = values.filter((value) => value !== null);
    const value = kind === 'bars' ? known.reduce((sum, each) => sum + each, 0) : known.at(-1);
    return `${name} ${value === undefined ? 'unknown' : format(value)}`;
  });
  return `${label}, ${kind === 'bars' ? 'in total' : 'newest values'}: ${described.join(', ')}`;
}

function useWidth(): [React.RefObject<HTMLDivElement | null>, number] {
  const element = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!element.current) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return [element, width];
}

export function TimeChart(props: TimeChartProps) {
  const { label, times, series, format, kind } = props;
  const [element, width] = useWidth();
  const chart = useRef<UPlot | null>(null);
  const [point, setPoint] = useState<number | null>(null);
  const theme = useTheme();
  const names = series.map(({ name }) => name).join();
  const data = [times, ...series.map(({ values, drawn = values }) => drawn)] as UPlot.AlignedData;
  useEffect(() => {
    if (!element.current || width === 0) return;
    const style = getComputedStyle(element.current);
    const options = seriesOptions({ series, format, kind, width, height: HEIGHT, style, onPoint: setPoint });
    const drawn = new UPlot(options, data, element.current);
    chart.current = drawn;
    return () => drawn.destroy();
  }, [width, theme, names, kind]);
  useEffect(() => chart.current?.setData(data), [times, series]);
  const moveTo = (index: number): void => {
    const left = chart.current?.valToPos(times[index] ?? 0, 'x') ?? 0;
    chart.current?.setCursor({ left: kind === 'bars' ? left + 1 : left, top: 0 });
  };
  return (
    <figure className={styles.chart}>
      <figcaption>
        <span>{label}</span>
        {series.map(({ name, colour }) => (
          <span key={name} className={styles.key}>
            <i style={{ background: `var(${colour})` }} aria-hidden="true" />
            {name}
          </span>
        ))}
      </figcaption>
      <div className={styles.frame}>
        <div ref={element} role="img" aria-label={summarize(props)} className={styles.plot} />
        <PointReader charted={props} point={point} onMove={moveTo} onLeave={() => chart.current?.setCursor(AWAY)} />
      </div>
    </figure>
  );
}
