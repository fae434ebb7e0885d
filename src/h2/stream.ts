import type { Head } from './headers/head.ts';
import type { Input } from './input.ts';

/** What of an answer has not been sent yet: the peer's windows or its socket are full. */
export interface Waiting {
  readonly chunks: Buffer[];
  /** How much of the first chunk is sent. */
  sent: number;
  /** The header block that ends the stream after them; `data` where the last of them does; null for not yet. */
  end: Buffer | 'data' | null;
  readonly onSent: (() => void)[];
}

/** One call: what is known of it between its frames. */
export class Stream {
  readonly id: number;
  readonly head: Head;
  /** On the connection's clock. */
  readonly startedAt: number;
  /** What the peer takes in before it says more; below 0 after it made its window smaller. */
  sendWindow: number;
  /** What the peer may still send. */
  receiveWindow: number;
  receivedBytes = 0;
  /** The peer has sent all it wanted to. */
  isRemoteClosed = false;
  /** Response headers are written. */
  isOpened = false;
  /** The outcome is decided: what a handler says from now on is dropped. */
  isDecided = false;
  /** Null for a unary call as long as its request could still come in a single frame. */
  input: Input | null = null;
  waiting: Waiting | null = null;

  constructor(id: number, head: Head, now: number, sendWindow: number, receiveWindow: number) {
    this.id = id;
    this.head = head;
    this.startedAt = now;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }

  /** On the same clock; Infinity for none. */
  get deadline(): number {
    return this.startedAt + this.head.timeoutMs;
  }
}
