import type { Timestamp } from 'mongodb';
import type { Setting } from './setting.ts';

/** As the server's profiler calls it: a find is a `query`, a findAndModify a `command`, each update is one by itself. */
type Op = 'query' | 'command' | 'update' | 'insert';

/** What the server says of one query. */
export interface Profiled {
  readonly op: Op;
  readonly planSummary: string;
  /** Absent where the order is that of the index. */
  readonly hasSortStage?: boolean;
  readonly keysExamined: number;
  readonly docsExamined: number;
  readonly command: { readonly readConcern: { readonly afterClusterTime: Timestamp } };
}

/** What the server says of the queries, or of what else is named, that `work` makes of a collection, in their order. */
export async function profile(
  setting: Setting,
  collection: string,
  work: () => Promise<void>,
  ops: readonly Op[] = ['query'],
): Promise<Profiled[]> {
  const database = setting.client.db();
  await database.command({ profile: 2 });
  await work();
  await database.command({ profile: 0 });
  const profiles = database.collection<Profiled>('system.profile');
  const ours = { op: { $in: ops }, ns: `${database.databaseName}.${collection}` };
  const found = await profiles.find(ours, { sort: { $natural: 1 } }).toArray();
  await profiles.drop();
  return found;
}
