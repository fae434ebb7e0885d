import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { type AddressUse, keyAddressesMax } from '../../journal/journal-store.ts';
import type { Disk } from '../disk.ts';

/** The table of the addresses that keys were used from. Throws SQLite's errors. */
export interface AddressTable {
  note(uses: readonly AddressUse[]): Promise<AddressUse[]>;
}

/** Uses that are noted before others have the thread: a millisecond or two. */
const usesAtOnce = 100;

export function createAddressTable(database: DatabaseSync, { write }: Disk): AddressTable {
  const known = database.prepare('SELECT 1 FROM addresses WHERE key = :key AND address = :address');
  const count = database.prepare('SELECT count(*) AS count FROM addresses WHERE key = :key');
  const insert = database.prepare(
    // A key that is gone leaves nothing behind.
    'INSERT INTO addresses (key, address) SELECT :key, :address WHERE EXISTS (SELECT 1 FROM keys WHERE id = :key)',
  );

  function isNew({ key, address }: AddressUse): boolean {
    if (known.get({ key, address }) !== undefined) return false;
    const before = Number(count.get({ key })?.count);
    if (before >= keyAddressesMax) return false;
    return Number(insert.run({ key, address }).changes) > 0 && before > 0;
  }

  return {
    async note(uses) {
      const found: AddressUse[] = [];
      for (let start = 0; start < uses.length; start += usesAtOnce) {
        if (start > 0) await setImmediate();
        // What a power cut undoes is noted again.
        found.push(...write(() => uses.slice(start, start + usesAtOnce).filter(isNew)));
      }
      return found;
    },
  };
}
