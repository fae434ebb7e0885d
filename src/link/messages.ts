/**
 * Room `link/`: The link between the service and its Check workers. Here: what they say to each other, what carries
 * it, and what follows from it for memory. Not here: what a worker is made of, or how it is started (`cli/serving/`).
 */

import type { ForwardedAnswer } from '../forward/forwarded-answer.ts';
import type { ForwardedCall } from '../forward/forwarded-call.ts';
import type { SigningKey } from '../identity/signing-key.ts';
import type { KeyId } from '../keys/key.ts';
import type { OwnerRecord } from '../keys/owner.ts';
import type { RoleRecord } from '../keys/role.ts';
import type { Digest } from '../keys/secret.ts';
import type { HeldWindow } from '../limits/accounts.ts';
import type { ChargeHits } from '../limits/hits.ts';
import type { LimitNews } from '../limits/news.ts';
import type { Listen } from '../net/listen.ts';
import type { TlsMaterial } from '../net/tls.ts';
import type { Reason } from '../schemes/answer.ts';
import type { CheckChanges, SentCheckConfig } from '../settings/check-config.ts';
import type { UnitLease, UnitLeaseRequest, UnitReturn } from '../store/units.ts';
import type { RequestRow } from '../store/usage/request-log.ts';
import type { CheckSnapshot } from '../telemetry/check-telemetry.ts';
import type { SentKey, SentKeyPage } from './sent-keys.ts';
import type { SentUsage } from './sent-tallies.ts';

/** What was read, and how old at the most it was when the answer was given, in milliseconds. */
export interface Dated<Value> {
  readonly value: Value;
  readonly lagMs: number;
}

/** A lease, and how many Check workers lease from the same store. */
export interface SharedLease extends UnitLease {
  readonly sharers: number;
}

/** What a Check worker asks the service. */
export type ServiceAnswers = {
  /** How old what the service knows is, in milliseconds; answered after all changes that were told before. */
  lagMs(): number;
  findKey(digests: readonly Digest[]): Promise<Dated<SentKey | null>>;
  /** Only of a store that has pages of keys. */
  readKeyPage(before: KeyId | null, size: number): Promise<Dated<SentKeyPage>>;
  getOwner(id: string): Promise<Dated<OwnerRecord | null>>;
  getRole(id: string): Promise<Dated<RoleRecord | null>>;
  leaseUnits(request: UnitLeaseRequest): Promise<SharedLease>;
  returnUnits(returns: readonly UnitReturn[]): Promise<void>;
  /** Units of limits that were spent without a lease: all or none; a text says what is wrong with them. */
  chargeHits: ChargeHits;
  holdUsage: SentUsage['holdUsage'];
  recordUsage: SentUsage['recordUsage'];
  recordRequests(rows: readonly RequestRow[]): Promise<void>;
  /** So many requests are in no row. */
  leaveRequestsOut(requests: number): void;
  /** Of the log, whole ones. */
  writeLines(lines: string): void;
  /** Revokes a key as leaked, since it came in clear text. */
  revokeInClear(id: KeyId): Promise<void>;
  /** What an operator may want to hear of a limit. */
  noteLimit(news: LimitNews): void;
  countFailures(failures: readonly FailuresFrom[]): void;
};

/** So many denials that look like guesses, for one reason and from one address. */
export type FailuresFrom = readonly [reason: Reason, address: string, times: number];

/** What a Check worker tells the service. */
export type WorkerTold =
  /** It is asked to come back after all changes that were told before. */
  | readonly [kind: 'beat', beat: number]
  /** All changes up to this one are applied. */
  | readonly [kind: 'applied', change: number]
  /** Spans could not be sent: how many times, and why the last. */
  | readonly [kind: 'lost', times: number, why: string]
  /** The connection that it was handed first, of those that it has not said so of, is there. */
  | readonly [kind: 'taken']
  /** A connection that it was handed has closed. */
  | readonly [kind: 'closed'];

/** What the service tells a Check worker; changes are numbered, one after another. */
export type ServiceTold =
  | readonly [kind: 'key', change: number, id: KeyId, digest: Digest | null]
  | readonly [kind: 'owner', change: number, id: string]
  | readonly [kind: 'role', change: number, id: string]
  | readonly [kind: 'gap', change: number]
  | readonly [kind: 'beat', beat: number, lagMs: number];

/** What the service asks a Check worker. */
export type WorkerAnswers = {
  /** The first of all. */
  start(given: WorkerStart): Promise<void>;
  listen(listen: Listen): Promise<Listen>;
  /** Checks from now on are judged by the settings that were sent, with these in their place. */
  apply(changes: CheckChanges): void;
  secure(material: TlsMaterial): void;
  serve(isServing: boolean): void;
  /** What was counted since it started, and how much is remembered. */
  snapshot(): CheckSnapshot;
  /** What is leased there of these windows and not spent, in their order. */
  held(windows: readonly HeldWindow[]): Promise<readonly number[]>;
  /** So many units count as leased of these windows, now that some were charged. */
  charged(counts: readonly (readonly [window: HeldWindow, leased: number])[]): void;
  /** Identity tokens are signed by this from now on. */
  signBy(key: SigningKey): void;
  /** Judges what a proxy asks over HTTP. */
  forward(call: ForwardedCall): Promise<ForwardedAnswer>;
  /** Takes no more calls, finishes those under way within that time, and hands over what it has gathered. */
  drain(drainMs: number): Promise<void>;
};

export interface WorkerStart {
  readonly settings: SentCheckConfig;
  /** Of the listener for Checks; null for cleartext. */
  readonly tls: TlsMaterial | null;
  /** How many Check workers share what is bounded for all of them. */
  readonly workers: number;
}
