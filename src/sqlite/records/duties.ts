import type { DatabaseSync } from 'node:sqlite';
import type { DutyProgress } from '../../journal/journal-store.ts';
import type { Disk } from '../disk.ts';

/** The table of duties. A power cut may undo the latest, which are then done again. Throws SQLite's errors. */
export interface DutyTable {
  claim(claimed: { duty: string; holder: string; forMs: number }, now: number): DutyProgress | null;
  record(done: { duty: string; holder: string; progress: number }, now: number): boolean;
}

export function createDutyTable(database: DatabaseSync, { write }: Disk): DutyTable {
  const claim = database.prepare(
    `INSERT INTO duties (name, holder, held_until, progress) VALUES (:duty, :holder, :until, 0)
     ON CONFLICT DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
       WHERE holder = excluded.holder OR held_until <= :now
     RETURNING progress`,
  );
  const record = database.prepare(
    'UPDATE duties SET progress = :progress WHERE name = :duty AND holder = :holder AND held_until > :now',
  );
  return {
    claim({ duty, holder, forMs }, now) {
      const [row] = write(() => claim.all({ duty, holder, until: now + forMs, now }));
      return row === undefined ? null : { progress: Number(row.progress) };
    },
    record: (done, now) => write(() => Number(record.run({ ...done, now }).changes) > 0),
  };
}
