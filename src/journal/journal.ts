/**
 * Room `journal/`: The audit log. Here: its entries, the hash chain over them, and what a store must keep of
 * them. Not here: who watches it (`events/`) and who may read it (`admin/`).
 */

import { hash } from 'node:crypto';
import { formatTimeMs } from '../time/time.ts';

/**
 * What is written into the journal: an admin call that changed something or was refused, or a notice of something
 * that an operator wants to hear of. Texts alone, none of them a secret.
 */
export interface JournalDraft {
  readonly kind: 'call' | 'notice';
  /** The id of an admin key, `POSTERN_ADMIN_KEY`, the name of a client certificate; null for nobody known. */
  readonly actor: string | null;
  /** The name of that admin key, or an e-mail, as it was then; null, or absent from a draft, where there is none. */
  readonly actorName?: string | null;
  /** The RPC's name, as in `RevokeKey`; for a notice a name of {@link noticeActions}. */
  readonly action: string;
  /** The id of the key, the owner or the import that it is about; null for none, or for what may not be told. */
  readonly target: string | null;
  /** The name of that key or owner, as it was then; null, or absent from a draft, where there is none. */
  readonly targetName?: string | null;
  /** Whose it is: who is bound to this owner may read it. Null for the operator's own. */
  readonly owner: string | null;
  readonly outcome: 'ok' | 'refused';
  /** The code of the refusal, as in `PERMISSION_DENIED`; null where the outcome is `ok`. */
  readonly error: string | null;
  /** The caller's IP address; null where it is not known. */
  readonly address: string | null;
  /** What the caller named the request; null where it did not. */
  readonly requestId: string | null;
  /** The thing before and after, as JSON values without a secret or a digest; null for nothing. */
  readonly before: unknown;
  readonly after: unknown;
  /** A second draft with the same one is not written; null where there is none. */
  readonly once: string | null;
}

/** On whose behalf, and by which call, something is done. */
export type Origin = Pick<JournalDraft, 'actor' | 'actorName' | 'action' | 'address' | 'requestId'>;

/** The draft of a change that such a call makes. */
export function changeDraft(
  { actor, actorName = null, action, address, requestId }: Origin,
  change: Pick<JournalDraft, 'target' | 'targetName' | 'owner' | 'before' | 'after'>,
): JournalDraft {
  return {
    ...{ kind: 'call', actor, actorName, action, outcome: 'ok', error: null, address, requestId, once: null },
    ...change,
  };
}

export const noticeActions = [
  ...(['KeyExpiring', 'NewAddress', 'PermissionDenied', 'ManyFailures'] as const),
  ...(['LimitNearlySpent', 'LimitExceeded', 'KeyUnused', 'UnusualVolume'] as const),
] as const;
export type NoticeAction = (typeof noticeActions)[number];

/** A draft in its place in the journal. Of before there were names it has neither of the two. */
export interface JournalEntry extends JournalDraft {
  /** Counts from 1 without a gap, in the order of the commits, over all replicas. */
  readonly sequence: number;
  /** Unix milliseconds; never before that of the entry before. */
  readonly at: number;
  /** The `hash` of the entry before; {@link genesisHash} for the first. */
  readonly previousHash: string;
  /** Over everything else in the entry: {@link hashOf}. */
  readonly hash: string;
}

/** Where the journal ends. */
export interface JournalHead {
  readonly sequence: number;
  readonly at: number;
  readonly hash: string;
}

export const genesisHash = '0'.repeat(64);
export const emptyJournal: JournalHead = { sequence: 0, at: 0, hash: genesisHash };

/** The drafts as the entries that follow the head, oldest first. `now` is in Unix milliseconds. */
export function entriesAfter(
  head: JournalHead,
  drafts: readonly JournalDraft[],
  now: number,
): readonly JournalEntry[] {
  let { sequence, at, hash: previousHash } = head;
  return drafts.map((draft) => {
    sequence += 1;
    at = Math.max(at, now);
    const named = { ...draft, actorName: draft.actorName ?? null, targetName: draft.targetName ?? null };
    const entry = { ...wellFormed(named), sequence, at, previousHash };
    previousHash = hashOf(entry);
    return { ...entry, hash: previousHash };
  });
}

/** Halves of surrogate pairs would not come back from a store as they were hashed. */
function wellFormed(draft: JournalDraft): JournalDraft {
  const members = Object.entries(draft).map(([name, value]) =>
    name === 'before' || name === 'after' || typeof value !== 'string'
      ? [name, value]
      : [name, value.toWellFormed()],
  );
  return Object.fromEntries(members) as JournalDraft;
}

/** `evt_` and the sequence, in 16 digits, so that ids sort as the entries do. */
export function eventId(sequence: number): string {
  return `evt_${String(sequence).padStart(16, '0')}`;
}

/** The sequence in an {@link eventId}; null for what is none. */
export function sequenceOf(id: string): number | null {
  return /^evt_[0-9]{16}$/.test(id) ? Number(id.slice(4)) : null;
}

/**
 * An entry as the contract shows it, its members in the contract's order, then what the chain is made of, then the
 * names, which an entry of before there were names does not have: its hash is over what stood there. The time is
 * RFC 3339 with milliseconds.
 */
export function auditJson(entry: JournalEntry) {
  return { ...firstPart(entry), hash: entry.hash, ...namesOf(entry) };
}

export type AuditJson = ReturnType<typeof auditJson>;

function firstPart(entry: Omit<JournalEntry, 'hash'>) {
  return {
    id: eventId(entry.sequence),
    at: formatTimeMs(entry.at),
    actor: entry.actor,
    action: entry.action,
    target: entry.target,
    outcome: entry.outcome,
    address: entry.address,
    request_id: entry.requestId,
    before: entry.before,
    after: entry.after,
    owner: entry.owner,
    error: entry.error,
    kind: entry.kind,
    once: entry.once,
    previous_hash: entry.previousHash,
  };
}

function namesOf({ actorName, targetName = null }: JournalDraft): {
  readonly actor_name?: string | null;
  readonly target_name?: string | null;
} {
  return actorName === undefined ? {} : { actor_name: actorName, target_name: targetName };
}

/** Hexadecimal SHA-256 of the entry's JSON as {@link auditJson} has it, without `hash`, in its order and without spaces. */
export function hashOf(entry: Omit<JournalEntry, 'hash'>): string {
  return hashOfJson({ ...firstPart(entry), ...namesOf(entry) });
}

/** {@link hashOf} of an entry that was read from an export. Members that it should not have change it too. */
export function hashOfJson(json: Readonly<Record<string, unknown>>): string {
  const { hash: _, ...rest } = json;
  return hash('sha256', JSON.stringify(rest), 'hex');
}
