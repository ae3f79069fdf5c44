/** Why a job has failed: the traceback, which usually ends with the error; otherwise both. */
import { useEffect, useRef } from 'react';
import { Card } from '../../ui/Card';
import { splitTraceback } from './traceback';
import type { JobDetails } from './spans';

export function JobError({ error }: { error: NonNullable<JobDetails['error']> }) {
  const { calls, end } = splitTraceback(error);
  const box = useRef<HTMLPreElement>(null);
  useEffect(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [calls]);
  if (calls === '') return <Card title="Error"><p className="issue card-text">{end}</p></Card>;
  return (
    <Card title="Error">
      <pre ref={box} className="traceback" tabIndex={0} role="region" aria-label="Traceback">
        {calls}
        <strong className="issue">{end}</strong>
      </pre>
    </Card>
  );
}
