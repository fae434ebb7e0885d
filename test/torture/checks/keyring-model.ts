import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { MongoClient, Timestamp } from 'mongodb';
import { createRandom, type Random } from '../../../bench/common/random.ts';
import type { Keyring } from '../../../src/cache/keyring.ts';
import type { KeyRecord } from '../../../src/keys/key.ts';
import type { Digest } from '../../../src/keys/secret.ts';
import type { Feed, FeedSubscriber } from '../../../src/store/feed/feed.ts';
import { keyRecord } from '../../records.ts';
import { createFakeMongo, type FakeMongo } from '../fake-mongo.ts';

/**
 * A model of one replica's memory: the keyring, the lease and the reads of MongoDB are the real ones; the
 * database, the change stream and the clock are fakes, of which a seeded scheduler chooses each next step,
 * down to how many turns of waiting promises run in between.
 */
export interface ModelOptions {
  readonly seed: number;
  readonly schedules: number;
  /** The folder whose sources are run; default this repository. */
  readonly root?: string;
}

export interface ModelResult {
  readonly schedules: number;
  readonly answers: number;
  /** The first that was found: what is wrong, and the schedule's number, which with the seed makes it again. */
  readonly failure: {
    readonly schedule: number;
    readonly what: string;
    readonly steps: readonly string[];
  } | null;
}

const repository = fileURLToPath(new URL('../../../', import.meta.url));
export const modelStalenessMs = 100;
const stepsPerSchedule = 40;
const keysPerSchedule = 3;
/** No chain of promises takes more turns. */
const settledAfter = 40;

export async function runModel({ seed, schedules, root = repository }: ModelOptions): Promise<ModelResult> {
  const parts = await loadParts(root);
  let answers = 0;
  for (let schedule = 0; schedule < schedules; schedule++) {
    const world = createWorld(parts, createRandom(Math.imul(seed, 0x9e3779b1) + schedule));
    const what = await world.run();
    answers += world.answers();
    if (what !== null)
      return { schedules: schedule + 1, answers, failure: { schedule, what, steps: world.steps } };
  }
  return { schedules, answers, failure: null };
}

const sources = [
  ...['cache/keyring.ts', 'cache/miss-budget.ts', 'store/store.ts', 'mongo/sessions.ts'],
  ...['store/feed/lease.ts', 'mongo/feed/latest.ts', 'store/coalesced.ts'],
];

type Parts = Pick<typeof import('../../../src/cache/keyring.ts'), 'createKeyring'> &
  Pick<typeof import('../../../src/cache/miss-budget.ts'), 'createMissBudget'> &
  Pick<typeof import('../../../src/store/store.ts'), 'StoreUnavailable'> &
  Pick<typeof import('../../../src/store/feed/lease.ts'), 'createLease'> &
  Pick<typeof import('../../../src/mongo/sessions.ts'), 'createSessions'> &
  Pick<typeof import('../../../src/mongo/feed/latest.ts'), 'createLatestRead'> &
  Pick<typeof import('../../../src/store/coalesced.ts'), 'createCoalesced'>;

async function loadParts(root: string): Promise<Parts> {
  const modules = await Promise.all(
    sources.map((path) => import(pathToFileURL(join(root, 'src', path)).href)),
  );
  return Object.assign({}, ...modules) as Parts;
}

/** A key, of which version 1 is its creation. */
interface Subject {
  readonly record: KeyRecord;
  readonly digest: Digest;
  version: number;
  /** Who asked for it before it was made may remember that it was nobody's. */
  wasAskedBefore: boolean;
}

/** What a caller is owed, noted when it asked. */
interface Debt {
  readonly subject: Subject;
  /** Delivered to this replica, or made by it and answered. */
  readonly delivered: number;
  /** Committed at least the staleness bound ago. */
  readonly old: number;
  /** Null without a lease; under one, how often the store had been asked without. */
  readonly unleasedReads: number | null;
  readonly committed: number;
  readonly wasAskedBefore: boolean;
}

function createWorld(parts: Parts, random: Random) {
  const clock = { now: 1_000_000 };
  const mongo: FakeMongo = createFakeMongo(random, parts.StoreUnavailable);
  const subjects = Array.from({ length: keysPerSchedule }, (): Subject => {
    const record = keyRecord();
    return { record, digest: record.digest, version: 0, wasAskedBefore: false };
  });
  /** Of each key: what the replica was told of, and the clock at each commit. */
  const delivered = new Map<Subject, number>(subjects.map((subject) => [subject, 0]));
  const committedAt = new Map<Subject, number[]>(subjects.map((subject) => [subject, []]));
  const steps: string[] = [];
  let failure: string | null = null;
  let answers = 0;
  let unleasedReads = 0;

  const lease = parts.createLease({
    ...{ stalenessMaxMs: modelStalenessMs, now: () => clock.now, monotonic: () => clock.now },
  });
  const sessions = parts.createSessions(mongo.client as MongoClient, { timeoutMs: 60_000 });
  const beat = (): Promise<Timestamp | undefined> => {
    const number = lease.begin();
    return sessions.write((session) => mongo.write(session, { kind: 'beat', beat: number }));
  };
  const catchUp = parts.createCoalesced(beat);
  const readLatest = parts.createLatestRead({ sessions, lease, catchUp }, 60_000);
  let subscriber: FeedSubscriber = { onChange() {}, onRoleChange() {}, onOwnerChange() {}, onGap() {} };
  function ignore(error: unknown): void {
    if (!(error instanceof parts.StoreUnavailable)) failure ??= String(error);
  }
  const feed: Pick<Feed, 'subscribe' | 'isFresh'> = {
    subscribe: (given) => {
      subscriber = given;
    },
    isFresh: () => lease.isHeld(),
  };
  const findKey = async (digests: readonly Digest[]): Promise<KeyRecord | null> => {
    const subject = subjects.find(({ digest }) => digests.includes(digest));
    if (!lease.isHeld()) unleasedReads++;
    const version = await readLatest(
      (options) => mongo.read(options, subject?.record.id ?? ''),
      (found) => found === 0,
    );
    return version === 0 || subject === undefined ? null : { ...subject.record, version };
  };
  const missBudget = parts.createMissBudget(() => clock.now, { readsPerSecond: 1_000_000 });
  const keyring: Keyring = parts.createKeyring(
    { store: { findKey, getOwner: async () => null, getRole: async () => null }, feed, missBudget },
    // So few that keys and misses push each other out.
    { keysMax: 2, missesMax: 1, ownersMax: 1, readsMax: 10 },
  );

  function oldOf(subject: Subject): number {
    const times = committedAt.get(subject) ?? [];
    return times.filter((at) => at <= clock.now - modelStalenessMs).length;
  }

  function owedNow(subject: Subject): Debt {
    const old = oldOf(subject);
    const unleased = lease.isHeld() ? unleasedReads : null;
    if (subject.version === 0) subject.wasAskedBefore = true;
    const { version: committed, wasAskedBefore } = subject;
    return {
      subject,
      delivered: delivered.get(subject) ?? 0,
      old,
      unleasedReads: unleased,
      committed,
      wasAskedBefore,
    };
  }

  function judge(found: Pick<KeyRecord, 'version'> | null, debt: Debt, how: string): void {
    answers++;
    const version = found?.version ?? 0;
    const say = (what: string) => {
      failure ??= `${how} gave version ${version} of ${debt.subject.record.id}: ${what}`;
    };
    if (version < debt.delivered) say(`version ${debt.delivered} had been delivered`);
    else if (version < debt.old) say(`version ${debt.old} was older than the staleness bound`);
    else if (debt.unleasedReads === unleasedReads && version < oldOf(debt.subject))
      say('it was older than the staleness bound when it was answered');
    else if (version === 0 && debt.committed > 0 && !debt.wasAskedBefore) say('it had been made');
  }

  /** As a Check does: memory, and the store where memory may not answer. */
  function ask(subject: Subject): void {
    const debt = owedNow(subject);
    const known = keyring.peek(subject.digest);
    if (known !== undefined) judge(known, debt, 'memory');
    else
      keyring
        .load(subject.digest, [subject.digest], '')
        .then((found) => judge(found, debt, 'a read'), ignore);
  }

  function commit(subject: Subject): void {
    subject.version++;
    committedAt.get(subject)?.push(clock.now);
    mongo.commit({ kind: 'change', id: subject.record.id, version: subject.version });
  }

  /** A change that this replica makes itself: told to memory when it is answered. */
  function changeHere(subject: Subject): void {
    const made = sessions.write(async (session) => {
      const done = mongo.write(session, { kind: 'hold' });
      await done;
      commit(subject);
      mongo.stamp(session);
      return subject.version;
    });
    made.then((version) => {
      subscriber.onChange(subject.record.id, subject.digest);
      delivered.set(subject, Math.max(delivered.get(subject) ?? 0, version));
    }, ignore);
  }

  function deliver(): void {
    const event = mongo.nextEvent();
    if (event === undefined) return;
    if (event.kind === 'beat') lease.seen(event.beat);
    if (event.kind === 'change') {
      const subject = subjects.find(({ record }) => record.id === event.id);
      if (subject === undefined) return;
      // Of an update the stream carries no digest.
      subscriber.onChange(subject.record.id, event.version === 1 ? subject.digest : null);
      delivered.set(subject, Math.max(delivered.get(subject) ?? 0, event.version));
    }
    sessions.advance(event.time);
  }

  /** The stream cannot go on: what was remembered is dropped, and a new one begins at a beat's time. */
  function beginAnew(): void {
    lease.end();
    subscriber.onGap();
    void beat().then((time) => {
      if (time === undefined) return;
      subscriber.onGap();
      mongo.restartStream(time);
    }, ignore);
  }

  function passTime(): void {
    clock.now += 1 + random.below(modelStalenessMs * 0.7);
  }

  const some = () => subjects[random.below(subjects.length)] as Subject;
  const moves: readonly (readonly [weight: number, name: string, move: () => void])[] = [
    [30, 'ask', () => ask(some())],
    [24, 'answer a read', () => mongo.answerRead()],
    [16, 'deliver', deliver],
    [8, 'commit', () => commit(some())],
    [4, 'change here', () => changeHere(some())],
    [8, 'beat', () => void beat().catch(ignore)],
    [12, 'answer a write', () => mongo.answerWrite()],
    [5, 'time passes', passTime],
    [1, 'begin anew', beginAnew],
  ];
  const total = moves.reduce((sum, [weight]) => sum + weight, 0);

  function chooseMove() {
    let left = random.below(total);
    return moves.find(([weight]) => {
      left -= weight;
      return left < 0;
    });
  }

  return {
    steps,
    answers: () => answers,
    async run(): Promise<string | null> {
      for (const subject of subjects.slice(0, 2)) commit(subject);
      for (let step = 0; step < stepsPerSchedule && failure === null; step++) {
        const [, name, move] = chooseMove() ?? [];
        steps.push(`${name ?? ''} (${clock.now})`);
        // An answer that is on its way is taken to arrive at once.
        if (move === passTime) await turns(settledAfter);
        move?.();
        await turns(random.below(8));
      }
      // Whatever waits is answered, so that nothing of this schedule runs into the next.
      for (let turn = 0; mongo.isWaiting() || turn < settledAfter; turn++) {
        mongo.answerRead();
        mongo.answerWrite();
        await undefined;
      }
      return failure;
    },
  };
}

/** Lets what waits on promises go on, so many steps. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await undefined;
}
