import type { CloseReason } from '../telemetry/connection-counts.ts';
import type { Bounds } from './bounds.ts';

/** What a connection can be told to do when its time has come. */
export interface LifetimeActions {
  /** Asks for a sign of life. */
  ping(): void;
  /** Announces the end: no new calls, please. */
  announce(why: CloseReason): void;
  /** Takes no new calls, and ends when the last one has. */
  retire(): void;
  /** Ends at once. */
  destroy(why: CloseReason): void;
}

/** How long the answer to the PING of an announced end is waited for. */
const announceMs = 1_000;

const never = Number.POSITIVE_INFINITY;

/** When a connection is too silent, too slow, or too old. It looks at the clock when `sweep` is called. */
export class Lifetime {
  readonly #bounds: Bounds;
  readonly #actions: LifetimeActions;
  /** When each of them is over, in milliseconds of the connection's clock. */
  #handshakeUntil: number;
  #ageUntil: number;
  #announceUntil = never;
  #graceUntil = never;
  #pingUntil = never;
  #stallUntil = never;
  #lingerUntil = never;
  /** When something was read last. */
  lastReadAt: number;

  /** @param jitter 0 up to 1, so that connections that began together do not end together */
  constructor(bounds: Bounds, actions: LifetimeActions, now: number, jitter: number) {
    this.#bounds = bounds;
    this.#actions = actions;
    this.lastReadAt = now;
    this.#handshakeUntil = now + bounds.handshakeMaxMs;
    this.#ageUntil = now + bounds.connectionAgeMaxMs * (0.9 + 0.2 * jitter);
  }

  get hasShakenHands(): boolean {
    return this.#handshakeUntil === never;
  }

  shookHands(): void {
    this.#handshakeUntil = never;
  }

  read(now: number): void {
    this.lastReadAt = now;
    this.#pingUntil = never;
  }

  announced(now: number): void {
    this.#ageUntil = never;
    this.#announceUntil = now + announceMs;
  }

  retired(): void {
    this.#announceUntil = never;
  }

  /** The peer does not read what it is sent. */
  stalled(now: number): void {
    this.#stallUntil = Math.min(this.#stallUntil, now + this.#bounds.stallMaxMs);
  }

  /** It reads again. */
  flows(): void {
    this.#stallUntil = never;
  }

  /** Nothing is left to do but for the peer to close. */
  ended(now: number): void {
    this.#lingerUntil = now + this.#bounds.lingerMs;
  }

  sweep(now: number): void {
    const { pingMaxMs, keepaliveMs, connectionGraceMs } = this.#bounds;
    if (now >= Math.min(this.#handshakeUntil, this.#pingUntil, this.#graceUntil, this.#lingerUntil)) {
      this.#actions.destroy(now >= this.#handshakeUntil ? 'handshake' : 'silent');
      return;
    }
    if (now >= this.#stallUntil) {
      this.#actions.destroy('stalled');
      return;
    }
    if (now >= this.#ageUntil) {
      this.#graceUntil = now + connectionGraceMs;
      this.#actions.announce('age');
    }
    if (now >= this.#announceUntil) this.#actions.retire();
    if (this.#pingUntil === never && now >= this.lastReadAt + keepaliveMs) {
      this.#pingUntil = now + pingMaxMs;
      this.#actions.ping();
    }
  }
}
