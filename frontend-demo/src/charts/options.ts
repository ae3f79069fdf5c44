/** The options of uPlot for the charts of the pages. */
import UPlot from 'uplot';

export type Series = {
  name: string;
  /** The name of a colour of base.css, such as `--success`. */
  colour: string;
  values: readonly (number | null)[];
  /** Where the values are drawn, if they are stacked on those of the next series. */
  drawn?: readonly (number | null)[];
};

type Options = {
  series: readonly Series[];
  format: (value: number) => string;
  kind: 'bars' | 'lines';
  width: number;
  height: number;
  style: CSSStyleDeclaration;
  /** Called with the point under the pointer; null if there is none. */
  onPoint: (index: number | null) => void;
};

const BAR_SHARE = 0.75;
const MAX_BAR_PX = 40;
/** Half the width of a label of the time axis, of which the last one is at the right end. */
const LAST_LABEL_PX = 26;

/** Resolve `light-dark()`: the canvas knows no custom properties. */
function colourOf(style: CSSStyleDeclaration, name: string): string {
  const probe = document.createElement('i');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color || style.color;
}

export function seriesOptions({ series, format, kind, width, height, style, onPoint }: Options): UPlot.Options {
  const grid = { stroke: colourOf(style, '--line'), width: 1 };
  const axis = { stroke: colourOf(style, '--text-soft'), grid, ticks: { show: false }, font: '11px system-ui' };
  const bars = UPlot.paths.bars?.({ size: [BAR_SHARE, MAX_BAR_PX], align: 1 });
  return {
    width,
    height,
    padding: [8, LAST_LABEL_PX, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { show: kind === 'lines' },
      // A bar begins at its time.
      dataIdx: (plot, _series, closest, x) =>
        kind === 'bars' && (plot.data[0][closest] ?? 0) > x ? Math.max(closest - 1, 0) : closest,
    },
    hooks: { setCursor: [({ cursor }) => onPoint(cursor.idxs?.[1] ?? null)] },
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(high ?? 0, 1) * 1.1] } },
    axes: [axis, { ...axis, size: 58, values: (_plot, values) => values.map(format) }],
    series: [
      {},
      ...series.map(({ name, colour }) => {
        const stroke = colourOf(style, colour);
        const drawn = kind === 'bars' && bars ? { paths: bars, fill: stroke, width: 0 } : { width: 1.8 };
        const points = { show: kind === 'lines', size: 4, fill: stroke };
        return { label: name, stroke, points, spanGaps: false, ...drawn };
      }),
    ],
  };
}
