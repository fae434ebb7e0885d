import { setImmediate } from 'node:timers/promises';
import type { JournalDraft } from '../../journal/journal.ts';
import type { KeyId } from '../../keys/key.ts';
import type { Digest } from '../../keys/secret.ts';
import type { FeedSubscriber } from '../../store/feed/feed.ts';
import type { Store } from '../../store/store.ts';
import type { Tables } from '../tables.ts';
import { inTransaction } from '../transaction.ts';

export type Changes = Pick<
  Store,
  | 'insertKey'
  | 'insertFirstKey'
  | 'insertKeys'
  | 'replaceKey'
  | 'replaceKeys'
  | 'rotateKey'
  | 'replaceDigests'
  | 'putOwner'
  | 'putRole'
  | 'deleteRole'
  | 'putPortalSession'
  | 'appendJournal'
>;

export interface ChangeDependencies {
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Runs the work on the open tables; rejects with what the store's contract says of an error. */
  readonly withTables: <T>(work: (tables: Tables) => T | Promise<T>) => Promise<T>;
  /** Throws where the file was deleted or replaced: what is written to it then is lost. */
  readonly requireFile: () => void;
  /** Who hears of changes; null for nobody. */
  readonly subscriber: () => FeedSubscriber | null;
}

/** Drafts that are written before others have the thread: a few milliseconds. */
const draftsAtOnce = 50;

/** Whatever changes keys, owners and the journal: each in one transaction, and told when it is durable. */
export function createChanges({ now, withTables, requireFile, subscriber }: ChangeDependencies): Changes {
  type Told = (id: KeyId, digest: Digest) => void;

  /** The drafts are written unless the work answers null: then there was nothing to change. */
  function change<T>(
    work: (tables: Tables, told: Told) => T | null,
    draftOf: (answer: T) => JournalDraft | undefined,
  ): Promise<T | null> {
    return withTables((tables) => {
      requireFile();
      const changed: [KeyId, Digest][] = [];
      const answer = inTransaction(tables.database, () => {
        const done = work(tables, (id, digest) => changed.push([id, digest]));
        const draft = done === null ? undefined : draftOf(done);
        if (draft !== undefined) tables.journal.append([draft], now());
        return done;
      });
      for (const [id, digest] of changed) subscriber()?.onChange(id, digest);
      requireFile();
      return answer;
    });
  }

  const committed = (answer: true | null) => (answer === null ? null : { at: now() });

  return {
    async insertKey(record, retentionMs, draft) {
      await change(
        ({ keys }, told) => {
          keys.insert(record, retentionMs);
          // Though nobody has asked for it yet: memory may know all keys but this one.
          told(record.id, record.digest);
          return true;
        },
        () => draft,
      );
      return { at: now() };
    },
    async insertFirstKey(record, retentionMs, draft) {
      const isFirst = await change(
        ({ keys }, told) => {
          if (!keys.insertFirst(record, retentionMs)) return null;
          told(record.id, record.digest);
          return true;
        },
        () => draft,
      );
      return isFirst === true;
    },
    async insertKeys(records, retentionMs, draft) {
      const taken = await change(
        ({ keys }, told) =>
          records.flatMap((record, place) => {
            if (!keys.insertIfFree(record, retentionMs)) return [place];
            told(record.id, record.digest);
            return [];
          }),
        (places) => {
          const inserted = records.length - places.length;
          return inserted === 0 ? undefined : draft?.(inserted);
        },
      );
      return taken ?? [];
    },
    replaceKey: async (record, ifVersion, retentionMs, draft) =>
      committed(
        await change(
          ({ keys }, told) => {
            const digest = keys.replace(record, ifVersion, retentionMs);
            if (digest === null) return null;
            told(record.id, digest);
            return true;
          },
          () => draft,
        ),
      ),
    replaceKeys: (changes, retentionMs) =>
      withTables((tables) => {
        requireFile();
        const changed: [KeyId, Digest][] = [];
        const made = inTransaction(tables.database, () => {
          const done = changes.map(({ record, ifVersion }) => {
            const digest = tables.keys.replace(record, ifVersion, retentionMs);
            if (digest !== null) changed.push([record.id, digest]);
            return digest !== null;
          });
          const drafts = changes.flatMap(({ draft }, place) => (done[place] ? [draft] : []));
          if (drafts.length > 0) tables.journal.append(drafts, now());
          return done;
        });
        for (const [id, digest] of changed) subscriber()?.onChange(id, digest);
        requireFile();
        return made;
      }),
    rotateKey: async ({ old, ifVersion, made }, retentionMs, draft) =>
      committed(
        await change(
          ({ keys }, told) => {
            const digest = keys.replace(old, ifVersion, retentionMs);
            if (digest === null) return null;
            keys.insert(made, retentionMs);
            told(old.id, digest);
            told(made.id, made.digest);
            return true;
          },
          () => draft,
        ),
      ),
    async replaceDigests(changes) {
      await change(
        ({ keys }, told) => {
          for (const one of changes) if (keys.replaceDigest(one)) told(one.id, one.to);
          return true;
        },
        () => undefined,
      );
    },
    putOwner: async (record, ifVersion, draft) => {
      const put = await change(
        ({ owners }) => (owners.put(record, ifVersion) ? true : null),
        () => draft,
      );
      if (put !== null) subscriber()?.onOwnerChange(record.id);
      return committed(put);
    },
    async putRole(record, ifVersion, draft) {
      const put = await change(
        ({ roles }) => (roles.put(record, ifVersion) ? true : null),
        () => draft,
      );
      if (put !== null) subscriber()?.onRoleChange(record.id);
      return committed(put);
    },
    async deleteRole(id, ifVersion, draft) {
      const deleted = await change(
        ({ roles }) => (roles.delete(id, ifVersion) ? true : null),
        () => draft,
      );
      if (deleted !== null) subscriber()?.onRoleChange(id);
      return committed(deleted);
    },
    async putPortalSession(record, ifVersion, draft) {
      const put = await change(
        ({ portalSessions }) => (portalSessions.put(record, ifVersion) ? true : null),
        () => draft,
      );
      return put !== null;
    },
    appendJournal: (drafts) =>
      withTables(async ({ disk, journal }) => {
        for (let start = 0; start < drafts.length; start += draftsAtOnce) {
          if (start > 0) await setImmediate();
          disk.write(() => journal.append(drafts.slice(start, start + draftsAtOnce), now()));
        }
        if (drafts.length > 0) await disk.durable();
      }),
  };
}
