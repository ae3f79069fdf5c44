/** Buttons that run each pattern, and what happens, live. */
import { Link } from 'react-router';
import { useLiveJobs } from 'ostinato-client/urql';
import { useSession } from '../app/session';
import { JobsChangedDocument } from '../generated';
import { JobRow } from '../jobs/JobRow';
import { Card } from '../ui/Card';
import { Page } from '../ui/Page';
import { Rows } from '../ui/Rows';
import { PatternCard } from './PatternCard';
import { patternsOf } from './patterns';
import styles from './Playground.module.css';

const SHOWN = 15;

export default function PlaygroundPage() {
  const { access } = useSession();
  const view = useLiveJobs(JobsChangedDocument, {}, { limit: SHOWN });
  return (
    <Page title="Playground">
      <p className={styles.intro}>
        Press a button: its jobs appear in the list of newest jobs at once. The link beside it leads to the next step.
      </p>
      <div className={styles.playground}>
        <ul className={styles.patterns} aria-label="Patterns">
          {patternsOf(access.flakyUrl).map((pattern) => (
            <PatternCard key={pattern.name} pattern={pattern} />
          ))}
        </ul>
        <div className={styles.newest}>
          <Card title="Newest jobs" actions={<Link to="/jobs">All jobs</Link>}>
            <Rows
              label="Jobs"
              empty="No jobs yet: press a button."
              view={view}
              entities={view.rows}
              row={(job) => <JobRow key={job.id} job={job} />}
            />
          </Card>
        </div>
      </div>
    </Page>
  );
}
