/** How many newer jobs wait above while the list is scrolled down, and a button that goes to them. */
import { ArrowUp } from 'lucide-react';
import { counted } from '../ui/counted';

export function NewerJobs({ count }: { count: number }) {
  if (count === 0) return null;
  return (
    <div className="newer">
      <button type="button" className="with-icon" onClick={() => window.scrollTo({ top: 0 })}>
        <ArrowUp aria-hidden="true" size={15} />
        {counted(count, 'new job')}
      </button>
    </div>
  );
}
