import type { Db } from 'mongodb';
import type { Sessions } from './sessions.ts';

export const standaloneMessage =
  'MongoDB is a standalone server, which serves no change streams and no transactions: admin changes work, but ' +
  'every Check reads the store and nothing is answered from memory, and the audit log may hold an event of a change ' +
  'that did not happen; run it as a replica set (mongod --replSet rs0, then rs.initiate()) for caching, for an ' +
  'exact audit log and for more than one replica.';

/** Whether the server is in no replica set and no cluster: it has no transactions and no change streams. */
export async function isStandalone(database: Db, sessions: Sessions): Promise<boolean> {
  const hello = await sessions.read(({ signal }) =>
    database.command({ hello: 1 }, { ...(signal && { signal }) }),
  );
  return hello.setName === undefined && hello.msg !== 'isdbgrid';
}
