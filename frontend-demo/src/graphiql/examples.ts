/**
 * The default tabs of GraphiQL: the jobs, and one tab for each pattern. The tab's name is that of its
 * first operation; the button lists them all. GraphiQL stores the user's own tabs from then on.
 */

const JOBS = `# The newest jobs.
query Jobs {
  jobs(first: 10) {
    nodes {
      functionName
      state
      scheduledTime
      result
    }
  }
}
`;

const WATCH = `# Every change of a job, as it happens.
subscription Watch {
  jobsChanged(snapshot: true, first: 10) {
    kind
    job {
      functionName
      state
      attempt
    }
  }
}
`;

const LATER = `# A job that runs in ten seconds.
mutation ScheduledJob {
  scheduleJob(
    input: {
      functionName: "tasks.runTask"
      args: {name: "hello"}
      runAfterMs: 10000
    }
  ) {
    jobId
    job {
      state
      scheduledTime
    }
  }
}
`;

const CRON = `# A cron that is created at run time: it ticks every second, until you pause or delete it.
mutation Cron {
  registerCron(input: {name: "hello", intervalMs: 1000, args: {name: "hello"}}) {
    cronId
    cron {
      nextRuns(count: 3)
    }
  }
}

# When would this one tick?
query Preview {
  previewCron(input: {cronspec: "30 8 * * mon-fri", tz: "Europe/Berlin", count: 5})
}

query Crons {
  crons {
    nodes {
      id
      name
      enabled
      lastRunTime
    }
  }
}

# Pass the id of a cron from the query above.
mutation DeleteCron($id: ID!) {
  deleteCron(input: {cronId: $id}) {
    cronId
  }
}
`;

const RECURRING_TASK = `# A function that runs every five seconds, while the task is enabled.
mutation RecurringTask {
  startRecurringTask(input: {taskId: "sync", intervalMs: 5000, args: {name: "sync"}}) {
    recurringTask {
      nextRunTime
    }
  }
}

mutation StopTask {
  stopRecurringTask(input: {taskId: "sync"}) {
    recurringTask {
      enabled
    }
  }
}
`;

const BATCH = `# Items, processed two at a time with a second between the pages.
mutation Batch {
  addItems(input: {items: ["a", "b", "c", "d", "e", "f"]}) {
    added
  }
  startBatch(input: {batchSize: 2, delayMs: 1000}) {
    batchId
  }
}

query Batches {
  batches(first: 5) {
    nodes {
      state
      processed
      remaining
      estimatedEnd
    }
  }
}
`;

const REQUEST = `# A request that waits a minute for an answer from a person.
mutation Request {
  createWithTimeout(input: {data: {question: "Ship it?"}, timeoutMs: 60000, runHandler: false}) {
    requestId
  }
}

# Pass the id of the request.
mutation Answer($id: ID!) {
  completeRequest(input: {requestId: $id, result: "Yes"}) {
    request {
      state
      result
    }
  }
}
`;

const CLOSED_PORT = 'http://127.0.0.1:9/';

/** The URL is one that workers may call: that of a development server, or one that the operator allows. */
const retries = (url: string): string => `# A call that is retried after 1, 2 and 4 seconds, each time in a new job.
mutation Retries {
  scheduleJob(
    input: {
      functionName: "actions.retryableAction"
      args: {data: {url: "${url}"}}
    }
  ) {
    jobId
  }
}

query Failures {
  failures(first: 5) {
    nodes {
      functionName
      attempts
      at
      error {
        message
      }
    }
  }
}
`;

export function exampleDocuments(flakyUrl: string | null): string[] {
  const url = flakyUrl === null ? CLOSED_PORT : `${flakyUrl}?key=graphiql&failures=2`;
  return [JOBS, WATCH, LATER, CRON, RECURRING_TASK, BATCH, REQUEST, retries(url)];
}

export function examples(headers: string, flakyUrl: string | null): { query: string; headers: string }[] {
  return exampleDocuments(flakyUrl).map((query) => ({ query, headers }));
}
