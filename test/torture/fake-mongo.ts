import { type ClientSession, type MongoClient, Timestamp } from 'mongodb';
import type { Random } from '../../bench/common/random.ts';
import type { ReadOptions } from '../../src/mongo/sessions.ts';

/** What is written, in the order of its cluster times. */
export type Entry =
  | { readonly kind: 'beat'; readonly beat: number }
  | { readonly kind: 'change'; readonly id: string; readonly version: number };

export type Event = Entry & { readonly time: Timestamp };

/**
 * As much of a replica set as one process sees of it. Whoever reads may be asking an old primary: a read
 * shows any state that is not older than it asks for.
 */
export interface FakeMongo {
  readonly client: Pick<MongoClient, 'startSession'>;
  /** The version of a key, 0 where there is none. */
  read(options: ReadOptions, id: string): Promise<number>;
  /** Writes when it is answered, and then says when that was; `hold` writes nothing by itself. */
  write(session: ClientSession, entry: Entry | { readonly kind: 'hold' }): Promise<Timestamp | undefined>;
  /** Somebody else's write. */
  commit(entry: Entry): void;
  /** Lets the session know of the latest write. */
  stamp(session: ClientSession): void;
  /** Of those that wait one is answered, or fails. */
  answerRead(): void;
  answerWrite(): void;
  isWaiting(): boolean;
  /** The next that the change stream carries. */
  nextEvent(): Event | undefined;
  /** The stream carries what was written after this time. */
  restartStream(after: Timestamp): void;
}

interface FakeSession {
  after: number;
  operationTime: Timestamp | undefined;
  advanceOperationTime(time: Timestamp): void;
  endSession(): Promise<void>;
}

const oneInFails = 12;

export function createFakeMongo(random: Random, Unavailable: new (message: string) => Error): FakeMongo {
  const log: Entry[] = [];
  const reads: ((fails: boolean) => void)[] = [];
  const writes: ((fails: boolean) => void)[] = [];
  let streamed = 0;
  const timeOf = (length: number) => new Timestamp({ t: 1, i: length });
  const sessionOf = (session: unknown) => session as FakeSession;

  function versionAt(length: number, id: string): number {
    for (let index = length - 1; index >= 0; index--) {
      const entry = log[index];
      if (entry?.kind === 'change' && entry.id === id) return entry.version;
    }
    return 0;
  }

  function answerOne(waiting: ((fails: boolean) => void)[]): void {
    const [answer] = waiting.splice(random.below(waiting.length), 1);
    answer?.(random.below(oneInFails) === 0);
  }

  const startSession = (): FakeSession => {
    const session: FakeSession = {
      after: 0,
      operationTime: undefined,
      advanceOperationTime: (time) => {
        session.after = Math.max(session.after, time.getLowBits());
      },
      endSession: async () => {},
    };
    return session;
  };

  return {
    client: { startSession: startSession as never },
    read({ session }, id) {
      const least = session === undefined ? 0 : sessionOf(session).after;
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      reads.push((fails) => {
        if (fails) return reject(new Unavailable('a read failed'));
        resolve(versionAt(least + random.below(log.length - least + 1), id));
      });
      return promise;
    },
    write(session, entry) {
      const { promise, resolve, reject } = Promise.withResolvers<Timestamp | undefined>();
      writes.push((fails) => {
        if (fails) return reject(new Unavailable('a write failed'));
        if (entry.kind !== 'hold') log.push(entry);
        sessionOf(session).operationTime = timeOf(log.length);
        resolve(timeOf(log.length));
      });
      return promise;
    },
    commit: (entry) => void log.push(entry),
    stamp(session) {
      sessionOf(session).operationTime = timeOf(log.length);
    },
    answerRead: () => answerOne(reads),
    answerWrite: () => answerOne(writes),
    isWaiting: () => reads.length + writes.length > 0,
    nextEvent() {
      const entry = log[streamed];
      if (entry === undefined) return undefined;
      streamed++;
      return { ...entry, time: timeOf(streamed) };
    },
    restartStream(after) {
      streamed = after.getLowBits();
    },
  };
}
