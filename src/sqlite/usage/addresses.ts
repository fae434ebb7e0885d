import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { type AddressUse, keyAddressesMax } from '../../journal/journal-store.ts';
import type { KeyId } from '../../keys/key.ts';
import type { Disk } from '../disk.ts';

/** The table of the addresses that keys were used from. Throws SQLite's errors. */
export interface AddressTable {
  note(uses: readonly AddressUse[]): Promise<AddressUse[]>;
}

/** Uses that are noted before others have the thread: a millisecond or two. */
const usesAtOnce = 100;

export function createAddressTable(database: DatabaseSync, { write }: Disk): AddressTable {
  // How many are known of the key; less than 0 where this one is. Nothing is counted then.
  const count = database.prepare(
    `SELECT CASE WHEN EXISTS (SELECT 1 FROM addresses WHERE key = ?1 AND address = ?2) THEN -1
       ELSE (SELECT count(*) FROM addresses WHERE key = ?1) END AS count`,
  );
  const insert = database.prepare(
    // A key that is gone leaves nothing behind.
    'INSERT INTO addresses (key, address) SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM keys WHERE id = ?1)',
  );
  const listKnown = database.prepare(
    'SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM addresses WHERE addresses.key = value)',
  );
  // Neither a key nor an address has a blank.
  const insertFirst = database.prepare(
    `INSERT INTO addresses (key, address)
     SELECT substr(value, 1, instr(value, ' ') - 1), substr(value, instr(value, ' ') + 1) FROM json_each(?)
     WHERE EXISTS (SELECT 1 FROM keys WHERE id = substr(value, 1, instr(value, ' ') - 1))`,
  );

  function isNew({ key, address }: AddressUse): boolean {
    const before = Number(count.get(key, address)?.count);
    if (before < 0 || before >= keyAddressesMax) return false;
    return Number(insert.run(key, address).changes) > 0 && before > 0;
  }

  /** Keys of which nothing is known yet, as in a flood of first uses, take half as long together as one by one. */
  function noteSome(uses: readonly AddressUse[]): AddressUse[] {
    const asked = uses.map(({ key }) => key);
    const known = new Set(listKnown.all(JSON.stringify(asked)).map(({ value }) => value as KeyId));
    const firsts = new Map<KeyId, string>();
    const others: AddressUse[] = [];
    for (const use of uses) {
      if (known.has(use.key) || firsts.has(use.key)) others.push(use);
      else firsts.set(use.key, `${use.key} ${use.address}`);
    }
    if (firsts.size > 0) insertFirst.run(JSON.stringify([...firsts.values()]));
    return others.filter(isNew);
  }

  return {
    async note(uses) {
      const found: AddressUse[] = [];
      for (let start = 0; start < uses.length; start += usesAtOnce) {
        if (start > 0) await setImmediate();
        // What a power cut undoes is noted again.
        found.push(...write(() => noteSome(uses.slice(start, start + usesAtOnce))));
      }
      return found;
    },
  };
}
