/** The pages for jobs, crons and what belongs to them. */
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { AccessGate } from './access/AccessGate';
import { App } from './app/App';
import './styles/base.css';
import './styles/form.css';
import './styles/page.css';
import './styles/jobs.css';

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <AccessGate>{(access, onRefused) => <App access={access} onRefused={onRefused} />}</AccessGate>
  </StrictMode>,
);
