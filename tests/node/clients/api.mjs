// What every check needs: the API by plain fetch, subscriptions read message by message, a deadline.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';

const DEADLINE_MS = 60_000;
export const JOBS = `subscription Jobs($after: Cursor) {
  jobsChanged(snapshot: true, after: $after) { __typename kind cursor jobId job { __typename id state version } }
}`;

/** One user's calls. Jobs are scheduled for tomorrow: they change only when they are canceled. */
export class Api {
  constructor(url, secret, user) {
    this.url = url;
    this.wsUrl = url.replace('http', 'ws');
    this.mint = (ageS = 600) => {
      const now = Math.floor(Date.now() / 1_000);
      return signed(secret, { sub: user, iat: now - 600, exp: now + ageS });
    };
    this.token = this.mint();
    this.headers = { authorization: `Bearer ${this.token}` };
  }

  async call(query, variables) {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...this.headers },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await response.json();
    assert.equal(errors, undefined);
    return data;
  }

  async schedule() {
    const document = `mutation { scheduleJob(input: {
      functionName: "actions.retryableAction", args: { data: { url: "http://127.0.0.1" } }, runAfterMs: 86400000
    }) { jobId } }`;
    return (await this.call(document)).scheduleJob.jobId;
  }

  async cancel(jobId) {
    await this.call('mutation ($i: JobIdInput!) { cancelJob(input: $i) { jobId } }', { i: { jobId } });
  }
}

function signed(secret, claims) {
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const content = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`;
}

/** The messages of a subscription, in order; `sink` is what any client takes. */
export class Messages {
  seen = [];
  #wake = () => {};
  sink = {
    next: (result) => this.#add(result),
    error: (error) => this.#add({ error }),
    complete: () => this.#add({ complete: true }),
  };

  #add(result) {
    this.seen.push(result.data?.jobsChanged ?? result);
    this.#wake();
  }

  /** Wait for the next message that is no CHECKPOINT. */
  async next() {
    while (this.seen[0]?.kind === 'CHECKPOINT') this.seen.shift();
    if (this.seen.length > 0) return this.seen.shift();
    await new Promise((resolve) => (this.#wake = resolve));
    return this.next();
  }

  /** Wait for the next message, and require its kind and the state of its job. */
  async expect(kind, state) {
    const message = await this.next();
    assert.equal(message.kind, kind, JSON.stringify(message));
    if (state) assert.equal(message.job.state, state);
  }
}

/** A promise and its own resolution. */
export function gate() {
  let open;
  const opened = new Promise((resolve) => (open = resolve));
  return { opened, open };
}

/** Run one check within the deadline and print how it went. */
export async function run(name, check) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('not done in time')), DEADLINE_MS);
  });
  const line = { check: name };
  try {
    await Promise.race([check(), late]);
  } catch (error) {
    line.error = error.stack ?? JSON.stringify(error);
  } finally {
    clearTimeout(timer);
  }
  console.log(JSON.stringify(line));
}
