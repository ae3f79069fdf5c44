/** The user: chosen from those of a development server, or signed in. */
import { chooseUser, forgetToken } from '../access/access';
import { useSession } from './session';

export function changeToken(): void {
  forgetToken();
  location.reload();
}

/** Admin sees the objects of all users and of the system. */
function UserChoice({ users, user }: { users: string[]; user: string }) {
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

export function UserMenu() {
  const { access, viewer } = useSession();
  return (
    <>
      {access.users.includes(viewer.id) ? (
        <UserChoice users={access.users} user={viewer.id} />
      ) : (
        viewer.id && <span className="hint">{viewer.id}</span>
      )}
      {access.signIn && (
        <button type="button" className="small" onClick={() => void access.signIn?.end()}>
          Sign out
        </button>
      )}
      {access.pasted && (
        <button type="button" className="small" onClick={changeToken}>
          Change token
        </button>
      )}
    </>
  );
}
