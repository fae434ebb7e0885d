import type { Port } from './port.ts';

/** Messages in batches, one for each turn of the event loop, with a bound on what is under way. */
export interface Line<Message> {
  /** False, and nothing is sent, where too much waits already. */
  send(message: Message): boolean;
  /** Messages that wait here to be sent, or for word that they were taken. */
  waiting(): number;
}

/** What goes through a port: messages, and how many batches of the other end's were taken so far. */
type Batch<Message> = readonly [messages: readonly Message[], taken: number];

/** Batches that are sent before the first of them has been taken: an end that stands still is not fed on. */
const batchesMax = 8;
/**
 * Messages in one batch. All batches that lie there are taken in one turn: a thread that answers Checks then stands still
 * for half a millisecond, where eight of 500 took it four.
 */
const batchSize = 64;
/** Messages that wait at one end. */
const waitingMax = 20_000;

export function createLine<Sent, Taken>(port: Port, take: (message: Taken) => void): Line<Sent> {
  let waiting: Sent[] = [];
  /** Sizes of the batches that were sent and not taken yet. */
  const underWay: number[] = [];
  let sent = 0;
  let batchesTaken = 0;
  let batchesSaid = 0;
  let isScheduled = false;

  port.onValue((value) => {
    const [messages, taken] = value as Batch<Taken>;
    const begun = sent - underWay.length;
    underWay.splice(0, Math.max(0, taken - begun));
    for (const message of messages) take(message);
    if (messages.length > 0) batchesTaken++;
    if (waiting.length > 0 || batchesTaken > batchesSaid) schedule();
  });

  return {
    send(message) {
      if (waiting.length >= waitingMax) return false;
      waiting.push(message);
      schedule();
      return true;
    },
    waiting: () => waiting.length + underWay.reduce((sum, size) => sum + size, 0),
  };

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(flush);
  }

  function flush(): void {
    isScheduled = false;
    while (waiting.length > 0 && underWay.length < batchesMax) {
      const messages = waiting.length <= batchSize ? waiting : waiting.slice(0, batchSize);
      waiting = waiting.length <= batchSize ? [] : waiting.slice(batchSize);
      sent++;
      underWay.push(messages.length);
      post(messages);
    }
    if (batchesTaken > batchesSaid) post([]);
  }

  function post(messages: readonly Sent[]): void {
    batchesSaid = batchesTaken;
    port.post([messages, batchesTaken] satisfies Batch<Sent>);
  }
}
