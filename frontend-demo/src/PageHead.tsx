/** The page header: the name, the connection state and the user. */
import { Mark } from './Mark';
import type { Connection } from './access/connection';
import { ConnectionChip } from './access/ConnectionChip';
import { forgetToken } from './access/access';

type PageHeadProps = { connection: Connection; viewer: string; pasted: boolean };

function changeToken(): void {
  forgetToken();
  location.reload();
}

export function PageHead({ connection, viewer, pasted }: PageHeadProps) {
  return (
    <header className="page-head">
      <div className="page-head-row">
        <Mark />
        <h1>Ostinato</h1>
        <ConnectionChip connection={connection} />
        <nav aria-label="Account">
          {viewer && <span className="viewer">{viewer}</span>}
          {pasted && (
            <button type="button" className="small" onClick={changeToken}>
              Change token
            </button>
          )}
          <a href="graphiql">GraphiQL</a>
        </nav>
      </div>
    </header>
  );
}
