/** The page header: the name, the connection state and the user. */
import { Mark } from './Mark';
import type { Connection } from './access/connection';
import { ConnectionChip } from './access/ConnectionChip';
import { chooseUser, forgetToken } from './access/access';
import type { Access } from './access/access';

type PageHeadProps = { connection: Connection; viewer: string; access: Access };
type UserChoiceProps = { users: string[]; user: string };

function changeToken(): void {
  forgetToken();
  location.reload();
}

/** Chooses the user in development; admin sees the objects of all users and of the system. */
function UserChoice({ users, user }: UserChoiceProps) {
  return (
    <select
      aria-label="User"
      value={user}
      onChange={(event) => {
        chooseUser(event.target.value);
        location.reload();
      }}
    >
      {users.map((name) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
}

export function PageHead({ connection, viewer, access }: PageHeadProps) {
  const { users, pasted } = access;
  return (
    <header className="page-head">
      <div className="page-head-row">
        <Mark />
        <h1>Ostinato</h1>
        <ConnectionChip connection={connection} />
        <nav aria-label="Account">
          {users.includes(viewer) ? (
            <UserChoice users={users} user={viewer} />
          ) : (
            viewer && <span className="viewer">{viewer}</span>
          )}
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
