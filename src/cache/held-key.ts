import type { CheckedKey, HeldKeys, HeldUse, KeyId } from '../keys/key.ts';
import type { Limit } from '../keys/limit.ts';
import {
  addressAt,
  chunkRecords,
  expiryMsAt,
  expirySpanAt,
  type KeyChunk,
  lastUseAt,
  ownerAt,
  recordWords,
  references,
  requestRowAt,
  spanMs,
  stateAt,
  termsAt,
  useKindAt,
  usesAt,
} from './key-record.ts';
import type { Terms } from './shared-terms.ts';

/**
 * A key as it was found in memory. What it is was copied, so that it may be held for as long as a Check takes; what is
 * noted beside it is noted for as long as memory holds that key, and then no more.
 */
export class HeldKey implements CheckedKey, HeldUse {
  readonly id: KeyId;
  readonly name: string;
  readonly owner: string | null;
  readonly expiresAt: number | null;
  readonly heldBy: HeldKeys;
  readonly place: number;
  readonly #terms: Terms;
  readonly #chunk: KeyChunk;
  readonly #state: number;

  constructor(heldBy: HeldKeys, chunk: KeyChunk, place: number) {
    const at = place % chunkRecords;
    const start = at * recordWords;
    const { words, shared } = chunk;
    const expiryMs = words[start + expiryMsAt] as number;
    this.id = chunk.idAt(at);
    this.name = chunk.nameAt(at);
    this.owner = shared[references * at + ownerAt] as string | null;
    this.expiresAt = expiryMs < 0 ? null : (words[start + expirySpanAt] as number) * spanMs + expiryMs;
    this.heldBy = heldBy;
    this.place = place;
    this.#terms = shared[references * at + termsAt] as Terms;
    this.#chunk = chunk;
    this.#state = words[start + stateAt] as number;
  }

  get scheme(): string {
    return this.#terms.scheme;
  }

  get environment(): string {
    return this.#terms.environment;
  }

  get permissions(): readonly string[] {
    return this.#terms.permissions;
  }

  get roles(): readonly string[] {
    return this.#terms.roles;
  }

  get ipAllowlist(): readonly string[] {
    return this.#terms.ipAllowlist;
  }

  get principals(): readonly string[] {
    return this.#terms.principals;
  }

  get plan(): string | null {
    return this.#terms.plan;
  }

  get rateLimits(): readonly Limit[] {
    return this.#terms.rateLimits;
  }

  get labels(): CheckedKey['labels'] {
    return this.#terms.labels;
  }

  get disabledAt(): number | null {
    return this.#terms.disabledAt;
  }

  get revokedAt(): number | null {
    return this.#terms.revokedAt;
  }

  get spender(): KeyId {
    return this.#terms.spender ?? this.id;
  }

  get version(): number {
    return this.#terms.version;
  }

  get uses(): number {
    return this.#read(usesAt);
  }

  set uses(count: number) {
    this.#write(usesAt, count);
  }

  get lastUse(): number {
    return this.#read(lastUseAt);
  }

  set lastUse(at: number) {
    this.#write(lastUseAt, at);
  }

  get useKind(): number {
    return this.#read(useKindAt);
  }

  set useKind(kind: number) {
    this.#write(useKindAt, kind);
  }

  get useAddress(): string {
    return (this.#chunk.shared[references * this.#at + addressAt] ?? '') as string;
  }

  set useAddress(address: string) {
    if (this.isHeld) this.#chunk.shared[references * this.#at + addressAt] = address;
  }

  get requestRow(): number {
    return this.#read(requestRowAt);
  }

  set requestRow(row: number) {
    this.#write(requestRowAt, row);
  }

  get account(): unknown {
    return this.isHeld ? (this.#chunk.accounts?.[this.#at] ?? null) : undefined;
  }

  set account(account: unknown) {
    if (!this.isHeld) return;
    this.#chunk.accounts ??= new Array(chunkRecords).fill(null);
    this.#chunk.accounts[this.#at] = account;
  }

  get #at(): number {
    return this.place % chunkRecords;
  }

  /** Whether memory still holds it. */
  get isHeld(): boolean {
    return this.#chunk.words[this.#at * recordWords + stateAt] === this.#state;
  }

  #read(word: number): number {
    return this.isHeld ? (this.#chunk.words[this.#at * recordWords + word] as number) : -1;
  }

  #write(word: number, value: number): void {
    if (this.isHeld) this.#chunk.words[this.#at * recordWords + word] = value;
  }
}
