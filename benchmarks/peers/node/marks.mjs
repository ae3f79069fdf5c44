// What a measured job tells the benchmark: when the first began, and how late one was.
import { appendFileSync } from "node:fs";

let noted = false;

export function begun() {
  if (noted) return;
  noted = true;
  note(`begun ${Date.now() / 1000}`);
}

export function late(dueMs) {
  note(`late ${(Date.now() - dueMs) / 1000}`);
}

function note(line) {
  appendFileSync(process.env.BENCH_MARKS, `${line}\n`);
}
