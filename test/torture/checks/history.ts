/** Milliseconds of the one monotonic clock of whoever wrote the history. */
export type Instant = number;

/** What became of a Check: `none` where no answer came. */
export type Verdict = 'allowed' | 'denied' | 'unavailable' | 'none';

export interface CheckRecord {
  readonly type: 'check';
  readonly replica: string;
  /** The key's id, or a name of its own for a key that was never made. */
  readonly key: string;
  readonly begin: Instant;
  readonly end: Instant;
  readonly verdict: Verdict;
  readonly reason: string;
}

/** `suspend` and `resume` are of an owner; `narrow`, `remove` and `widen` of a role, by which a key holds what it asks for. */
export type Operation =
  | 'create'
  | 'revoke'
  | 'disable'
  | 'enable'
  | 'suspend'
  | 'resume'
  | 'narrow'
  | 'remove'
  | 'widen';

export interface ChangeRecord {
  readonly type: 'change';
  readonly replica: string;
  readonly operation: Operation;
  /** The id of the key, the owner or the role. */
  readonly subject: string;
  readonly begin: Instant;
  readonly end: Instant;
  /** `unknown`: it may have been done, and may still be. `refused`: it was not done, and `status` says why. */
  readonly outcome: 'done' | 'refused' | 'unknown';
  readonly status: number;
  /** Of what narrows access, Unix milliseconds. */
  readonly effectiveAt?: number;
  readonly unconfirmed?: readonly string[];
  /** Unix time less the monotonic clock, in milliseconds, when the answer came. */
  readonly wallOffset: number;
  /** Of a new key. */
  readonly owner?: string | null;
  /** By which alone it holds the permission that its Checks ask for; null where they ask for none. */
  readonly role?: string | null;
  readonly limit?: { readonly limit: number; readonly windowMs: number } | null;
}

/** A key as the admin API shows it. */
export interface StateRecord {
  readonly type: 'state';
  readonly replica: string;
  readonly key: string;
  readonly begin: Instant;
  readonly end: Instant;
  readonly state: 'active' | 'disabled' | 'revoked' | 'absent';
}

/** Something was broken from `begin` on, and worked again at `end`. */
export interface FaultRecord {
  readonly type: 'fault';
  readonly what: string;
  readonly begin: Instant;
  readonly end: Instant;
}

/** Stands first. */
export interface OpeningRecord {
  readonly type: 'opening';
  readonly seed: number;
  readonly stalenessMaxMs: number;
  /** Unix time less the monotonic clock, in milliseconds. */
  readonly wallOffset: number;
}

export type HistoryRecord = OpeningRecord | CheckRecord | ChangeRecord | StateRecord | FaultRecord;

/** One record a line. */
export function parseHistory(lines: string): HistoryRecord[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as HistoryRecord);
}
