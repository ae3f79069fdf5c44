/** The live page. */
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { LivePage } from './LivePage';
import { SessionGate } from './session/SessionGate';
import './styles/base.css';
import './styles/form.css';
import './styles/page.css';

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <SessionGate>
      {(session, onRefused) => <LivePage session={session} onRefused={onRefused} />}
    </SessionGate>
  </StrictMode>,
);
