/** The tabs that GraphiQL opens with, until the user's own are kept. */

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

const WATCH = `# Each change of a job, as it happens.
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

const REGISTER = `# A cron that ticks each second; see it on the first page.
mutation Register {
  registerCron(input: {name: "hello", intervalMs: 1000, args: {name: "hello"}}) {
    cronId
    cron {
      nextRunTime
    }
  }
}
`;

export function examples(headers: string): { query: string; headers: string }[] {
  return [JOBS, WATCH, REGISTER].map((query) => ({ query, headers }));
}
