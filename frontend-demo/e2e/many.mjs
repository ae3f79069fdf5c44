/* Up to 100,000 jobs are loaded, and scrolled through while hundreds of changes a second arrive. Prints how smooth
   it was, and for how many jobs: a busy machine does not load all of them in time. */
import { openLivePage } from './page.mjs';

const LONG_FRAME_MS = 50;
const SCROLL_MS = 20_000;
const LOAD_MS = 120_000;
const MIN_LOADED = 2_000;
/** Of the page's own thread, which other programs on this machine do not add to. */
const MAX_MS_PER_FRAME = 50;
/** The share of frames with a task of the page's thread that takes longer than LONG_FRAME_MS of its CPU time. */
const MAX_LONG_SHARE = 0.01;
const MAX_GROWTH_BYTES = 60_000_000;

/** Scroll down and up at once for a while, and return the durations of all frames. */
function scrollAndMeasure(forMs) {
  return new Promise((resolve) => {
    const [frames, start] = [[], performance.now()];
    let [before, direction] = [start, 1];
    const next = (now) => {
      frames.push(now - before);
      before = now;
      const end = document.documentElement.scrollHeight - innerHeight;
      if (scrollY >= end - 1) direction = -1;
      if (scrollY <= 0) direction = 1;
      window.scrollBy(0, direction * 400);
      if (now - start < forMs) requestAnimationFrame(next);
      else resolve(frames.slice(1));
    };
    requestAnimationFrame(next);
  });
}

async function usedBytes(session) {
  await session.send('HeapProfiler.collectGarbage');
  return (await session.send('Runtime.getHeapUsage')).usedSize;
}

/** Return the milliseconds that the page's thread has worked on scripts, styles and layout. */
async function workedMs(session) {
  const { metrics } = await session.send('Performance.getMetrics');
  const parts = ['ScriptDuration', 'RecalcStyleDuration', 'LayoutDuration'];
  return metrics.filter(({ name }) => parts.includes(name)).reduce((sum, { value }) => sum + value * 1_000, 0);
}

/** Trace an action; return its value, and the CPU time of each task of the page's thread in milliseconds. */
async function whileTracing(page, action) {
  const session = await page.context().browser().newBrowserCDPSession();
  const events = [];
  session.on('Tracing.dataCollected', ({ value }) => events.push(...value));
  const traceConfig = { includedCategories: ['toplevel', '__metadata'], excludedCategories: ['*'] };
  await session.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig });
  const value = await action();
  const completed = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  await session.send('Tracing.end');
  await completed;
  await session.detach();
  const place = ({ pid, tid }) => `${pid}/${tid}`;
  const pages = events.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain').map(place);
  const tasks = events.filter((event) => event.name === 'ThreadControllerImpl::RunTask' && pages.includes(place(event)));
  return { value, tasks: tasks.map(({ tdur = 0 }) => tdur / 1_000) };
}

/** Load jobs by scrolling to the end; return how many. */
async function load(page, count) {
  const deadline = Date.now() + LOAD_MS;
  for (;;) {
    const loaded = Number(await page.locator('[data-loaded]').getAttribute('data-loaded'));
    if (loaded >= count || Date.now() > deadline) return loaded;
    await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Change jobs every 100 ms during an action; return its value and the number of changes a second. */
async function whileJobsChange(given, action) {
  const start = Date.now();
  let [changes, running] = [0, true];
  const change = async () => {
    while (running) {
      changes += await given.request('change jobs');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const [value] = await Promise.all([action().finally(() => (running = false)), change()]);
  return { value, rate: (1_000 * changes) / (Date.now() - start) };
}

function isLong(ms) {
  return ms > LONG_FRAME_MS;
}

function print({ loaded, frames, tasks, perFrame, rate, rows, before, growth }) {
  const long = frames.filter(isLong).length;
  const share = ((100 * long) / frames.length).toFixed(2);
  console.error(
    `${loaded} jobs, ${Math.round(rate)} changes/s: ${frames.length} frames, ${long} over ` +
      `${LONG_FRAME_MS} ms (${share} %), the longest ${Math.round(Math.max(...frames))} ms; ` +
      `${perFrame.toFixed(1)} ms of work each, ${tasks.filter(isLong).length} tasks over ${LONG_FRAME_MS} ms, ` +
      `the longest ${Math.round(Math.max(...tasks))} ms; ${rows} rows exist; ` +
      `heap ${Math.round(before / 1e6)} MB, grew by ${Math.round(growth / 1e6)} MB`,
  );
}

export default async function scenario(page, given) {
  await openLivePage(page, given);
  const loaded = await load(page, given.count);
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  await page.evaluate(scrollAndMeasure, 2_000);
  const [before, worked] = [await usedBytes(session), await workedMs(session)];
  const measure = () => whileTracing(page, () => page.evaluate(scrollAndMeasure, SCROLL_MS));
  const { value: measured, rate } = await whileJobsChange(given, measure);
  const { value: frames, tasks } = measured;
  const perFrame = ((await workedMs(session)) - worked) / frames.length;
  const growth = (await usedBytes(session)) - before;
  const rows = await page.locator('[data-job]').count();
  print({ loaded, frames, tasks, perFrame, rate, rows, before, growth });
  if (loaded < MIN_LOADED) throw new Error(`only ${loaded} jobs were loaded`);
  if (perFrame > MAX_MS_PER_FRAME) throw new Error(`a frame takes ${perFrame} ms of the page's thread`);
  if (tasks.length < frames.length) throw new Error(`only ${tasks.length} tasks were traced`);
  const long = tasks.filter(isLong).length;
  if (long > Math.max(1, MAX_LONG_SHARE * frames.length)) throw new Error(`${long} tasks take over ${LONG_FRAME_MS} ms`);
  if (growth > MAX_GROWTH_BYTES) throw new Error(`the heap grew by ${growth} bytes`);
  if (rows > 100) throw new Error(`${rows} rows exist`);
}
