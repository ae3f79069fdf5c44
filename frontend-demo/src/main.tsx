/** The live page. */
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { LivePage } from './LivePage';
import { AccessGate } from './access/AccessGate';
import './styles/base.css';
import './styles/form.css';
import './styles/page.css';

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <AccessGate>
      {(access, onRefused) => <LivePage access={access} onRefused={onRefused} />}
    </AccessGate>
  </StrictMode>,
);
