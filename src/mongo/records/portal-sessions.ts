import type { Collection, Db } from 'mongodb';
import type { JournalDraft } from '../../journal/journal.ts';
import { type PortalSessionRecord, portalPurgeAt } from '../../keys/portal-session.ts';
import { checkedPortalSession } from '../../store/records/checked-portal-session.ts';
import { portalSessionsName } from '../collections.ts';
import type { ChangeQueue } from '../feed/change-queue.ts';
import { createLatestRead, type LatestReadDependencies } from '../feed/latest.ts';
import { date, dateOrNull, time } from './keys/records.ts';
import { createVersionedChanges } from './versioned.ts';

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
  const kept: Collection<PortalSessionDocument> = dependencies.database.collection(portalSessionsName);
  const changes = createVersionedChanges(kept, dependencies);
  const readLatest = createLatestRead(dependencies, dependencies.timeoutsMs.others);

  return {
    async get(id) {
      const document = await readLatest((read) => kept.findOne({ _id: { $eq: id } }, read));
      return document === null ? null : fromDocument({ ...document });
    },
    put: (record, ifVersion, draft) => changes.put(toDocument(record), ifVersion, draft),
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
