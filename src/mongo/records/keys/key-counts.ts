import type { Collection, Db, Document } from 'mongodb';
import type { KeyState } from '../../../keys/key.ts';
import type { KeyCounts } from '../../../store/diagnosis/standing.ts';
import { keysName } from '../../collections.ts';
import type { Sessions } from '../../sessions.ts';
import type { KeyDocument } from './records.ts';

/** Keys that are counted by one command, which reads them whole. */
const countedMax = 10_000;

interface Group {
  readonly _id: KeyState;
  readonly count: number;
  readonly last: string;
}

/** How many keys there are in each state, as the store's contract has it. */
export async function countKeyStates(database: Db, sessions: Sessions, now: number): Promise<KeyCounts> {
  const keys: Collection<KeyDocument> = database.collection(keysName);
  const counts = { active: 0, disabled: 0, revoked: 0, expired: 0 };
  for (let after = '', isLast = false; !isLast; ) {
    const groups = await sessions.read((read) =>
      keys.aggregate<Group>(statesAfter(after, new Date(now)), read).toArray(),
    );
    for (const { _id, count, last } of groups) {
      counts[_id] += count;
      if (last > after) after = last;
    }
    isLast = groups.reduce((sum, { count }) => sum + count, 0) < countedMax;
  }
  return counts;
}

/** Counts the keys with the next ids by their states. A time is more than null, and null more than a member that is not there. */
function statesAfter(id: string, now: Date): Document[] {
  const isPast = { $and: [{ $gt: ['$expires_at', null] }, { $lte: ['$expires_at', now] }] };
  const living = { $cond: [isPast, 'expired', 'active'] };
  const kept = { $cond: [{ $gt: ['$disabled_at', null] }, 'disabled', living] };
  const state = { $cond: [{ $gt: ['$revoked_at', null] }, 'revoked', kept] };
  return [
    { $match: { _id: { $gt: id } } },
    { $sort: { _id: 1 } },
    { $limit: countedMax },
    { $group: { _id: state, count: { $sum: 1 }, last: { $max: '$_id' } } },
  ];
}
