import type { KeyId, KeyRecord } from '../../../keys/key.ts';

/** The last uses of these keys that their own documents may not say yet. */
export type LastUses = (keys: readonly KeyId[]) => Promise<ReadonlyMap<KeyId, number>>;

/** The last use of keys as it is shown: that of their own documents, or a later one of an hour that is not over. */
export interface ShownUse {
  one(id: KeyId, read: Promise<KeyRecord | null>): Promise<KeyRecord | null>;
  many(records: readonly KeyRecord[]): Promise<KeyRecord[]>;
}

export function createShownUse(lastUses: LastUses): ShownUse {
  return {
    async one(id, read) {
      const [record, uses] = await Promise.all([read, lastUses([id])]);
      return record === null ? null : withUse(record, uses);
    },
    async many(records) {
      if (records.length === 0) return [];
      const uses = await lastUses(records.map(({ id }) => id));
      return records.map((record) => withUse(record, uses));
    },
  };
}

export interface FilledPage<Place> {
  /** The place that the page begins behind; null for the first page. */
  readonly from: Place | null;
  readonly size: number;
  readonly placeOf: (record: KeyRecord) => Place;
  /** A page of the store's own, whose last uses are those of keys' own documents. */
  readonly read: (from: Place | null, size: number) => Promise<KeyRecord[]>;
  /** What becomes of some of them. */
  readonly shown: (records: readonly KeyRecord[]) => Promise<readonly KeyRecord[]>;
}

/** A page without what is not shown, which does not make it short: a short page is the last one. */
export async function fillPage<Place>(page: FilledPage<Place>): Promise<KeyRecord[]> {
  const { size, placeOf, read, shown } = page;
  const found: KeyRecord[] = [];
  for (let { from } = page; found.length < size; ) {
    const wanted = size - found.length;
    const records = await read(from, wanted);
    found.push(...(await shown(records)));
    const last = records.at(-1);
    if (last === undefined || records.length < wanted) break;
    from = placeOf(last);
  }
  return found;
}

function withUse(record: KeyRecord, uses: ReadonlyMap<KeyId, number>): KeyRecord {
  const used = uses.get(record.id);
  return used === undefined || used <= (record.lastUsedAt ?? 0) ? record : { ...record, lastUsedAt: used };
}
