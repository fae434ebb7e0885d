import type { ClientSession, Collection, Db } from 'mongodb';
import type { JournalDraft } from '../../journal/journal.ts';
import { type PortalSessionRecord, portalPurgeAt } from '../../keys/portal-session.ts';
import { checkedPortalSession } from '../../store/checked-portal-session.ts';
import { DuplicateKey } from '../../store/store.ts';
import { portalSessionsName } from '../collections.ts';
import type { ChangeQueue } from '../feed/change-queue.ts';
import { createLatestRead, type LatestReadDependencies } from '../feed/latest.ts';
import { date, dateOrNull, time } from './records.ts';

/** A portal session in the collection `portal_sessions`. */
interface PortalSessionDocument {
  _id: string;
  owner: string;
  permissions: readonly string[];
  return_url: string | null;
  token_digest: string;
  created_at: Date;
  open_until: Date;
  opened_at: Date | null;
  expires_at: Date;
  ended_at: Date | null;
  version: number;
  /** A TTL index removes the document at this time. */
  purge_at: Date;
}

/** The collection of portal sessions: what the store's contract says of each operation. */
export interface PortalCollection {
  get(id: string): Promise<PortalSessionRecord | null>;
  put(record: PortalSessionRecord, ifVersion: number, draft?: JournalDraft): Promise<boolean>;
}

export interface PortalSessionDependencies extends LatestReadDependencies {
  readonly database: Db;
  readonly queue: ChangeQueue;
}

export function createPortalCollection(dependencies: PortalSessionDependencies): PortalCollection {
  const { database, sessions, queue } = dependencies;
  const kept: Collection<PortalSessionDocument> = database.collection(portalSessionsName);
  const readLatest = createLatestRead(dependencies, dependencies.timeoutsMs.others);

  return {
    async get(id) {
      const document = await readLatest((read) => kept.findOne({ _id: { $eq: id } }, read));
      return document === null ? null : fromDocument({ ...document });
    },
    async put(record, ifVersion, draft) {
      const document = toDocument(record);
      const { _id, ...members } = document;
      const apply = async (session: ClientSession) => {
        if (ifVersion === 0) {
          await kept.insertOne(document, { session });
          return true;
        }
        const update = { $set: members };
        const { matchedCount } = await kept.updateOne({ _id, version: ifVersion }, update, { session });
        return matchedCount > 0;
      };
      const isDue = async (session: ClientSession) =>
        ((await kept.findOne({ _id: { $eq: _id } }, { session }))?.version ?? 0) === ifVersion;
      try {
        return draft === undefined
          ? await sessions.write(apply)
          : await queue({ apply, isDue, drafts: [draft] });
      } catch (error) {
        if (error instanceof DuplicateKey) return false;
        throw error;
      }
    },
  };
}

function toDocument(record: PortalSessionRecord): PortalSessionDocument {
  return {
    _id: record.id,
    owner: record.owner,
    permissions: record.permissions,
    return_url: record.returnUrl,
    token_digest: record.tokenDigest,
    created_at: date(record.createdAt),
    open_until: date(record.openUntil),
    opened_at: dateOrNull(record.openedAt),
    expires_at: date(record.expiresAt),
    ended_at: dateOrNull(record.endedAt),
    version: record.version,
    purge_at: date(portalPurgeAt(record)),
  };
}

/** Throws `BadRecord` when the document is no portal session. */
function fromDocument(document: Readonly<Record<string, unknown>>): PortalSessionRecord {
  return checkedPortalSession({
    id: document._id,
    owner: document.owner,
    permissions: document.permissions,
    returnUrl: document.return_url,
    tokenDigest: document.token_digest,
    createdAt: time(document.created_at),
    openUntil: time(document.open_until),
    openedAt: time(document.opened_at),
    expiresAt: time(document.expires_at),
    endedAt: time(document.ended_at),
    version: document.version,
  });
}
