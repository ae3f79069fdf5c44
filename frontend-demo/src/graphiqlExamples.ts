/** The default tabs of GraphiQL; it stores the user's own tabs from then on. */

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

const REGISTER = `# A cron that ticks every second. It appears on the live page.
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
