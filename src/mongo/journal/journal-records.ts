import type { Filter } from 'mongodb';
import { eventId, type JournalEntry, type JournalHead } from '../../journal/journal.ts';
import type { JournalFilter } from '../../journal/journal-store.ts';
import { BadRecord } from '../../store/store.ts';

/** An entry in the collection `journal`, whose `_id` is its sequence. */
export interface JournalDocument {
  _id: number;
  at: Date;
  kind: JournalEntry['kind'];
  actor: string | null;
  action: string;
  target: string | null;
  owner: string | null;
  outcome: JournalEntry['outcome'];
  error: string | null;
  address: string | null;
  request_id: string | null;
  /** As JSON, in the very text that the hash was made of: the order of members counts, and no name means anything. */
  before: string;
  after: string;
  /** Absent, both, from entries of before there were names. */
  actor_name?: string | null;
  target_name?: string | null;
  /** Under a unique index where it is text. */
  once: string | null;
  previous_hash: string;
  hash: string;
  /** A TTL index removes the document at this time. */
  purge_at: Date;
}

/** Where the journal ends, in the collection `meta`: what is not there yet has to be looked for in the journal. */
export interface JournalHeadDocument {
  _id: string;
  /** Counts the transactions that have locked it. */
  locks: number;
  sequence?: number;
  at?: Date;
  hash?: string;
}

export function toDocument(entry: JournalEntry, retentionMs: number): JournalDocument {
  return {
    _id: entry.sequence,
    at: new Date(entry.at),
    kind: entry.kind,
    actor: entry.actor,
    action: entry.action,
    target: entry.target,
    owner: entry.owner,
    outcome: entry.outcome,
    error: entry.error,
    address: entry.address,
    request_id: entry.requestId,
    before: JSON.stringify(entry.before),
    after: JSON.stringify(entry.after),
    once: entry.once,
    previous_hash: entry.previousHash,
    hash: entry.hash,
    ...(entry.actorName !== undefined && {
      actor_name: entry.actorName,
      target_name: entry.targetName ?? null,
    }),
    purge_at: new Date(entry.at + retentionMs),
  };
}

/** Throws `BadRecord` when the document is not an entry; whether its hash is right is not looked at. */
export function toEntry(document: JournalDocument): JournalEntry {
  const wrong = (member: string) => new BadRecord(eventId(Number(document._id)), member, 'an event');
  for (const [member, isRight] of Object.entries(memberChecks)) {
    if (!isRight(document[member as keyof JournalDocument])) throw wrong(member);
  }
  const value = (member: 'before' | 'after'): unknown => {
    try {
      return JSON.parse(document[member]);
    } catch {
      throw wrong(member);
    }
  };
  return {
    sequence: document._id,
    at: document.at.getTime(),
    kind: document.kind,
    actor: document.actor,
    action: document.action,
    target: document.target,
    owner: document.owner,
    outcome: document.outcome,
    error: document.error,
    address: document.address,
    requestId: document.request_id,
    before: value('before'),
    after: value('after'),
    once: document.once,
    previousHash: document.previous_hash,
    hash: document.hash,
    ...(document.actor_name !== undefined && {
      actorName: document.actor_name,
      targetName: document.target_name ?? null,
    }),
  };
}

/** Null where the document does not say. */
export function toHead({ sequence, at, hash }: JournalHeadDocument): JournalHead | null {
  if (sequence === undefined || at === undefined || hash === undefined) return null;
  return { sequence, at: at.getTime(), hash };
}

/** The entries between two sequences, neither of them included, that the filter keeps, its times aside. */
export function journalFilter(
  filter: JournalFilter,
  { after, before }: { readonly after: number; readonly before: number },
): Filter<JournalDocument> {
  const { since: _, until: __, ...members } = filter;
  const equal = Object.entries(members).map(([name, value]) => [name, { $eq: value }]);
  return { ...Object.fromEntries(equal), _id: { $gt: after, $lt: before } };
}

type Check = (value: unknown) => boolean;
const isText: Check = (value) => typeof value === 'string';
const isTextOrNull: Check = (value) => value === null || isText(value);
const isTime: Check = (value) => value instanceof Date;

const memberChecks: { readonly [member in keyof Omit<JournalDocument, 'purge_at'>]-?: Check } = {
  _id: (value) => Number.isSafeInteger(value) && Number(value) >= 1,
  at: isTime,
  kind: (value) => value === 'call' || value === 'notice',
  actor: isTextOrNull,
  action: isText,
  target: isTextOrNull,
  owner: isTextOrNull,
  outcome: (value) => value === 'ok' || value === 'refused',
  error: isTextOrNull,
  address: isTextOrNull,
  request_id: isTextOrNull,
  before: isText,
  after: isText,
  actor_name: (value) => value === undefined || isTextOrNull(value),
  target_name: (value) => value === undefined || isTextOrNull(value),
  once: isTextOrNull,
  previous_hash: isText,
  hash: isText,
};
