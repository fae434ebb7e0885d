import type { ClientSession, Collection, Db } from 'mongodb';
import { type RestorableStore, type RestoreMark, readMark } from '../../restore/restore-mark.ts';
import { metaName } from '../collections.ts';
import type { Sessions } from '../sessions.ts';

/** The mark of a restored database, in the collection `meta`. */
interface MarkDocument {
  _id: 'restored';
  at: Date;
  sequence: number;
  hash: string;
}

export type RestoreMarks = Pick<RestorableStore, 'getRestoreMark' | 'putRestoreMark'>;

export function createRestoreMarks(database: Db, sessions: Sessions): RestoreMarks {
  const marks = marksOf(database);

  return {
    getRestoreMark: () => sessions.write((session) => findMark(database, session)),
    async putRestoreMark(mark) {
      await sessions.write(async (session) => {
        if (mark === null) await marks.deleteOne({ _id: 'restored' }, { session });
        else {
          const { sequence, hash } = mark;
          const members = { at: new Date(mark.at), sequence, hash };
          await marks.replaceOne({ _id: 'restored' }, members, { upsert: true, session });
        }
      });
    },
  };
}

/** Null where the database was not restored, or what was lost is settled. */
export async function findMark(database: Db, session: ClientSession): Promise<RestoreMark | null> {
  const found = await marksOf(database).findOne({ _id: 'restored' }, { session });
  return found === null ? null : readMark({ ...found, at: Number(found.at) });
}

function marksOf(database: Db): Collection<MarkDocument> {
  return database.collection(metaName);
}
