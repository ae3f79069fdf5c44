// What a measured job tells the benchmark: when the first began, how late one was, how often it started.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const HELD_MS = 3_600_000;

let noted = false;

export function begun() {
  if (noted) return;
  noted = true;
  note(`begun ${Date.now() / 1000}`);
}

export function late(dueMs) {
  note(`late ${(Date.now() - dueMs) / 1000}`);
}

/** Notes that a job started; its first attempt then waits until its worker is killed. */
export async function hold(n) {
  const [line, notes] = [`held ${n} `, process.env.BENCH_MARKS];
  const isFirst = !existsSync(notes) || !readFileSync(notes, "utf8").includes(line);
  note(`${line}${Date.now() / 1000}`);
  if (isFirst) await sleep(HELD_MS);
}

function note(line) {
  appendFileSync(process.env.BENCH_MARKS, `${line}\n`);
}
