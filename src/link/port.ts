import { Socket } from 'node:net';

/** One end of what carries values to the other end, whole and in order; a thread's messages, or a process's. */
export interface Port {
  /** Sends a value that can be cloned. What cannot be delivered any more is lost. */
  post(value: unknown): void;
  /** From now on called with each value that comes. */
  onValue(take: (value: unknown) => void): void;
}

/** What a `Worker` and its `parentPort` have in common. */
interface Messages {
  postMessage(value: unknown): void;
  on(event: 'message', take: (value: unknown) => void): unknown;
}

export function threadPort(messages: Messages): Port {
  return {
    post: (value) => messages.postMessage(value),
    onValue(take) {
      messages.on('message', take);
    },
  };
}

/** What a child process and its own `process` have in common. */
interface Channel {
  readonly connected: boolean;
  send?(
    value: object,
    socket: Socket | undefined,
    options: object,
    sent: (error: Error | null) => void,
  ): unknown;
  on(event: 'message', take: (value: unknown, handle: unknown) => void): unknown;
}

/** A port that connections can be handed through, apart from what is said. */
export interface HandingPort extends Port {
  /** Gives it to the other end, which shares it with this one until it is destroyed here. */
  hand(socket: Socket): void;
  /** Called for each that comes; with null for one that was reset on its way. */
  onHanded(take: (socket: Socket | null) => void): void;
}

/** What goes with a connection. */
const handing = { handed: true };

export function processPort(channel: Channel): HandingPort {
  return {
    post(value) {
      // Whether the other end is gone is told by its exit.
      if (channel.connected) channel.send?.(value as object, undefined, {}, () => {});
    },
    onValue(take) {
      channel.on('message', (value) => {
        if (Array.isArray(value)) take(value);
      });
    },
    hand(socket) {
      if (channel.connected) channel.send?.(handing, socket, { keepOpen: true }, () => {});
    },
    onHanded(take) {
      channel.on('message', (value, handle) => {
        if (!Array.isArray(value)) take(handle instanceof Socket ? handle : null);
      });
    },
  };
}
