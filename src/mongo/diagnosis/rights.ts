import type { Db, Document } from 'mongodb';
import { error, type Finding, warning } from '../../store/diagnosis/finding.ts';
import { isLocal } from './address.ts';

/** What the role readWrite gives, as far as Postern uses it. */
const neededActions = [
  ...['find', 'insert', 'update', 'remove', 'createCollection', 'createIndex', 'listIndexes', 'changeStream'],
];
const broadRoles = ['root', '__system', 'userAdminAnyDatabase', 'dbAdminAnyDatabase', 'readWriteAnyDatabase'];

/** What the user lacks on the database of that name, and what it has and does not need. */
export async function diagnoseRights(
  admin: Db,
  { name, uri }: { readonly name: string; readonly uri: string },
): Promise<Finding[]> {
  const { authInfo } = await admin.command(
    { connectionStatus: 1, showPrivileges: true },
    { readPreference: 'primaryPreferred' },
  );
  if (authInfo.authenticatedUsers.length === 0) return isLocal(uri) ? [] : [noLogin];
  const allowed = new Set(
    (authInfo.authenticatedUserPrivileges as Document[])
      .filter(({ resource }) => covers(resource, name))
      .flatMap(({ actions }) => actions as string[]),
  );
  const lacking = neededActions.filter((action) => !allowed.has(action));
  const broad = (authInfo.authenticatedUserRoles as { role: string }[])
    .map(({ role }) => role)
    .filter((role) => broadRoles.includes(role));
  return [
    ...(lacking.length > 0 ? [lacks(lacking, name)] : []),
    ...(broad.length > 0 ? [tooMuch(broad, name)] : []),
  ];
}

/** Whether a privilege on this resource is one on every collection of the database. */
function covers({ db, collection, anyResource }: Document, name: string): boolean {
  return anyResource === true || ((db === name || db === '') && collection === '');
}

const noLogin = warning(
  'store.no_login',
  'MongoDB asks for no login: whoever reaches it can read digests and make keys.',
  'Start mongod with --auth (or security.authorization: enabled) and --keyFile, and give Postern a user of its own.',
);

function lacks(actions: readonly string[], name: string): Finding {
  const what = `MongoDB does not allow this user what Postern needs on its database: ${actions.join(', ')}.`;
  return error('store.rights', what, grant(name));
}

function tooMuch(roles: readonly string[], name: string): Finding {
  const what = `The user has more rights than Postern needs: ${roles.join(', ')}.`;
  return warning('store.rights_broad', what, grant(name));
}

function grant(name: string): string {
  return `readWrite is enough: db.createUser({ user: "postern", pwd: passwordPrompt(), roles: [{ role: "readWrite", db: ${JSON.stringify(name)} }] }).`;
}
