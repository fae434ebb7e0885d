import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import type { ExpiryRange } from '../../../journal/journal-store.ts';
import type { KeyId, KeyRecord } from '../../../keys/key.ts';
import { type KeyOrder, type KeyPlace, newestFirst } from '../../../keys/key-order.ts';
import type { Digest } from '../../../keys/secret.ts';
import type { KeyCounts } from '../../../store/diagnosis/standing.ts';
import type {
  DigestChange,
  KeyFilter,
  OwnedExternalId,
  OwnedKeys,
} from '../../../store/records/key-filter.ts';
import { type Asker, BadRecord, type Store } from '../../../store/store.ts';
import type { Parameters, Prepare, Query, Row } from '../../statements.ts';
import { readPage } from '../pages.ts';
import { expiryPage } from './expiry-pages.ts';
import { countListed, createStateCounts } from './key-count.ts';
import { type KeyRange, keyPage, keySlice } from './key-pages.ts';
import { orderedPlaces } from './ordered-pages.ts';
import { checkedColumns, fromRow, recordColumns, rowOfValues, toRow } from './records.ts';

/** The table of keys: what the store's contract says of each operation. Throws SQLite's errors. */
export interface KeyTable {
  find(digests: readonly Digest[], asker?: Asker): KeyRecord | null;
  get(id: KeyId): KeyRecord | null;
  findDigests(digests: readonly Digest[]): Set<Digest>;
  countOwned(asked: OwnedKeys, max: number): number;
  /** The places of those that are taken. */
  findExternalIds(asked: readonly OwnedExternalId[]): Set<number>;
  getByRequest(requestKey: string): KeyRecord | null;
  readonly list: Store['listKeys'];
  readonly listInOrder: Store['listKeysInOrder'];
  readonly countListed: Store['countListed'];
  listExpiring(range: ExpiryRange, size: number): KeyRecord[];
  /** How many there are, by the id of the pepper. */
  count(): Promise<Map<string, number>>;
  countStates(now: number): Promise<KeyCounts>;
  /** Removes at most `size` records whose time to be purged has come, and names them. */
  purge(now: number, size: number): KeyId[];

  // What follows is for a transaction of the caller.
  insert(record: KeyRecord, retentionMs: number): void;
  /** False, and nothing is changed, where something of it is taken. */
  insertIfFree(record: KeyRecord, retentionMs: number): boolean;
  insertFirst(record: KeyRecord, retentionMs: number): boolean;
  /** The digest that the key has; null where the version is another. */
  replace(record: KeyRecord, ifVersion: number, retentionMs: number): Digest | null;
  replaceDigest(change: DigestChange): boolean;
}

/** Keys that are looked through before others have the thread: a few milliseconds. */
const sliceSize = 5_000;

export function createKeyTable(
  database: DatabaseSync,
  prepare: Prepare,
  onBadRecord: (id: string, error: BadRecord) => void,
): KeyTable {
  const statements = prepareStatements(database);
  statements.findForCheck.setReturnArrays(true);
  const all = ({ sql, parameters }: Query) => prepare(sql).all(parameters);
  const reading = {
    read: fromRow,
    onBadRecord: (row: Row, error: BadRecord) => onBadRecord(String(row.id), error),
  };

  function readRange(filter: KeyFilter, range: KeyRange, size: number): KeyRecord[] {
    return readPage(size, {
      ...reading,
      rows: (last, left) =>
        all(keyPage(filter, last === null ? range : { ...range, before: String(last.id) as KeyId }, left)),
    });
  }

  async function listInOrder(
    filter: KeyFilter,
    order: KeyOrder,
    { after, size }: { readonly after: KeyPlace | null; readonly size: number },
  ): Promise<KeyRecord[]> {
    const found: KeyRecord[] = [];
    for await (const { id } of orderedPlaces(all, filter, order, after)) {
      if (found.length === size) break;
      const row = statements.get.get({ id });
      // It may be gone by now.
      if (row === undefined) continue;
      try {
        found.push(fromRow(row));
      } catch (error) {
        if (!(error instanceof BadRecord)) throw error;
        onBadRecord(String(row.id), error);
      }
    }
    return found;
  }

  function findForCheck(digest: Digest): Row | undefined {
    const values = statements.findForCheck.get(digest);
    return values && rowOfValues(values);
  }

  function insert(record: KeyRecord, retentionMs: number): void {
    statements.insert.run(newRow(record, retentionMs));
  }

  return {
    find(digests, asker) {
      for (const digest of digests) {
        const row = asker === 'check' ? findForCheck(digest) : statements.find.get(digest);
        if (row !== undefined) return fromRow(row);
      }
      return null;
    },
    get: (id) => recordOf(statements.get.get({ id })),
    findDigests: (digests) =>
      new Set(digests.filter((digest) => statements.hasDigest.get({ digest }) !== undefined)),
    countOwned: ({ owner, scheme = null, environment = null, now }, max) =>
      Number(statements.countOwned.get({ owner, scheme, environment, now, max })?.count),
    findExternalIds: (asked) =>
      new Set(
        asked.flatMap(({ owner, externalId }, place) =>
          statements.hasExternalId.get({ owner: owner ?? '', external_id: externalId }) === undefined
            ? []
            : [place],
        ),
      ),
    getByRequest: (requestKey) => recordOf(statements.getByRequest.get({ request_key: requestKey })),
    async list(filter, { before, size }) {
      if (filter.unusedSince !== undefined || filter.expiresBefore !== undefined) {
        const after = before === null ? null : { value: before, id: before };
        return listInOrder(filter, newestFirst, { after, size });
      }
      const found: KeyRecord[] = [];
      for (let end = before; ; await setImmediate()) {
        const slice = keySlice(filter, end, sliceSize);
        const [start] = slice === null ? [] : all(slice);
        const from = start === undefined ? null : (String(start.id) as KeyId);
        found.push(...readRange(filter, { from, before: end }, size - found.length));
        if (from === null || found.length === size) return found;
        end = from;
      }
    },
    listInOrder,
    countListed: (filter, max) => countListed(all, filter, max),
    listExpiring: (range, size) =>
      readPage(size, {
        ...reading,
        rows: (row, left) => {
          const last = row && { id: String(row.id) as KeyId, expiresAt: Number(row.expires_at) };
          return all(expiryPage(last === null ? range : { ...range, last }, left));
        },
      }),
    async count() {
      const counts = new Map<string, number>();
      for (let after = ''; ; await setImmediate()) {
        const last = statements.slice.get({ after, skipped: sliceSize - 1 })?.digest;
        for (const { pepper, count } of statements.count.all({ after, last: last ?? null })) {
          counts.set(String(pepper), (counts.get(String(pepper)) ?? 0) + Number(count));
        }
        if (last === undefined) return counts;
        after = String(last);
      }
    },
    countStates: createStateCounts(database),
    purge: (now, size) => statements.purge.all({ now, size }).map((row) => String(row.id) as KeyId),

    insert,
    insertIfFree: (record, retentionMs) =>
      Number(statements.insertIfFree.run(newRow(record, retentionMs)).changes) > 0,
    insertFirst(record, retentionMs) {
      if (Number(statements.markFirst.run({ id: record.id }).changes) === 0) return false;
      insert(record, retentionMs);
      return true;
    },
    replace(record, ifVersion, retentionMs) {
      const { digest: _, ...members } = toRow(record, retentionMs);
      const [row] = statements.replace.all({ ...members, if_version: ifVersion });
      return row === undefined ? null : (String(row.digest) as Digest);
    },
    replaceDigest: ({ id, from, to }) => Number(statements.replaceDigest.run({ id, from, to }).changes) > 0,
  };
}

function recordOf(row: Row | undefined): KeyRecord | null {
  return row === undefined ? null : fromRow(row);
}

function newRow(record: KeyRecord, retentionMs: number): Parameters {
  return { ...toRow(record, retentionMs), last_used_at: record.lastUsedAt };
}

function prepareStatements(database: DatabaseSync) {
  const insert = `INTO keys (id, digest, request_key, version, scheme, environment, owner, name_folded,
      labels_folded, last_used_at, expires_at, disabled_at, revoked_at, purge_at, rate_limits, record)
    VALUES (:id, :digest, :request_key, :version, :scheme, :environment, :owner, :name_folded,
      :labels_folded, :last_used_at, :expires_at, :disabled_at, :revoked_at, :purge_at, :rate_limits, :record)`;
  return {
    find: database.prepare(`SELECT ${recordColumns} FROM keys WHERE digest = ?`),
    findForCheck: database.prepare(`SELECT ${checkedColumns} FROM keys WHERE digest = ?`),
    hasDigest: database.prepare('SELECT 1 FROM keys WHERE digest = :digest'),
    get: database.prepare(`SELECT ${recordColumns} FROM keys WHERE id = :id`),
    countOwned: database.prepare(
      `SELECT count(*) AS count FROM (SELECT 1 FROM keys INDEXED BY keys_by_owner
       WHERE owner = :owner AND scheme = coalesce(:scheme, scheme) AND environment = coalesce(:environment, environment)
         AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)
         AND CASE WHEN json_valid(record) THEN record ->> '$.rotatedTo' END IS NULL LIMIT :max)`,
    ),
    hasExternalId: database.prepare(
      `SELECT 1 FROM keys INDEXED BY keys_by_external_id
       WHERE external_id = :external_id AND coalesce(owner, '') = :owner AND revoked_at IS NULL`,
    ),
    getByRequest: database.prepare(`SELECT ${recordColumns} FROM keys WHERE request_key = :request_key`),
    insert: database.prepare(`INSERT ${insert}`),
    insertIfFree: database.prepare(`INSERT OR IGNORE ${insert}`),
    replace: database.prepare(
      `UPDATE keys SET request_key = :request_key, version = :version, scheme = :scheme, environment = :environment,
         owner = :owner, name_folded = :name_folded, labels_folded = :labels_folded, expires_at = :expires_at, disabled_at = :disabled_at,
         revoked_at = :revoked_at, purge_at = :purge_at, rate_limits = :rate_limits,
         record = :record
       WHERE id = :id AND version = :if_version RETURNING digest`,
    ),
    replaceDigest: database.prepare(
      'UPDATE OR IGNORE keys SET digest = :to WHERE id = :id AND digest = :from',
    ),
    // The mark outlives the key.
    markFirst: database.prepare("INSERT OR IGNORE INTO meta (name, value) VALUES ('first_key', :id)"),
    slice: database.prepare(
      'SELECT digest FROM keys WHERE digest > :after ORDER BY digest LIMIT 1 OFFSET :skipped',
    ),
    // A blob is more than every text.
    count: database.prepare(
      `SELECT substr(digest, 1, max(0, instr(digest, ':') - 1)) AS pepper, count(*) AS count FROM keys
       WHERE digest > :after AND digest <= coalesce(:last, x'') GROUP BY pepper`,
    ),
    purge: database.prepare(
      `DELETE FROM keys WHERE id IN
         (SELECT id FROM keys WHERE purge_at <= :now ORDER BY purge_at LIMIT :size) RETURNING id`,
    ),
  };
}
