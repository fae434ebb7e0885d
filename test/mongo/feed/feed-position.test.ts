import { Timestamp } from 'mongodb';
import { expect, it, onTestFinished } from 'vitest';
import { type ChangeFeedDependencies, createChangeFeed } from '../../../src/mongo/feed/feed.ts';
import { createLease } from '../../../src/store/feed/lease.ts';
import { until } from '../../real/until.ts';

const at = (i: number) => new Timestamp({ t: 1, i });
const token = (i: number) => ({ _data: `82${'1'.padStart(8, '0')}${i.toString(16).padStart(8, '0')}` });

/** What the server answers next: an event of a time, by default of a key, or none and how far it has looked. */
type Answer =
  | { readonly event: number; readonly registers?: boolean }
  | { readonly looked: number }
  | 'ended';

/** A feed whose stream answers when it is told to. */
function setUp() {
  const clock = { ms: 0 };
  const lease = createLease({ stalenessMaxMs: 5_000, now: () => clock.ms, monotonic: () => clock.ms });
  const answers: Answer[] = [];
  const errors: string[] = [];
  const told = { opened: 0, keys: 0, gaps: 0 };
  let wake = Promise.withResolvers<void>();
  const watch = () => {
    told.opened++;
    const stream = {
      closed: false,
      resumeToken: token(10) as object,
      async tryNext() {
        while (answers.length === 0 && !stream.closed) await wake.promise;
        const answer = answers.shift();
        if (answer === undefined || answer === 'ended') {
          stream.closed = true;
          return null;
        }
        stream.resumeToken = token('event' in answer ? answer.event : answer.looked);
        if (!('event' in answer)) return null;
        const clusterTime = at(answer.event);
        const place = answer.registers
          ? { ns: { coll: 'replicas' }, documentKey: { _id: 'one' }, operationType: 'insert' }
          : { ns: { coll: 'keys' }, documentKey: { _id: 'key_a' }, operationType: 'delete' };
        return { _id: stream.resumeToken, clusterTime, ...place };
      },
      async close() {
        stream.closed = true;
        answer();
      },
    };
    return stream;
  };
  const fleet = {
    ...{ runId: 'one', size: () => 1, acknowledge: async () => {} },
    ...{ register: async () => at(12), renew: () => new Promise<never>(() => {}) },
  };
  const feed = createChangeFeed({
    ...{ database: { watch }, fleet, sessions: { advance: () => {} }, lease, stalenessMaxMs: 5_000 },
    prepare: async () => {},
    subscriber: {
      onChange: () => void told.keys++,
      onOwnerChange: () => {},
      onRoleChange: () => {},
      onGap: () => void told.gaps++,
    },
    onError: (error: unknown) => void errors.push(String(error)),
  } as unknown as ChangeFeedDependencies);
  feed.start().catch(() => {});
  // What it waits for last never comes.
  onTestFinished(() => void feed.stop());
  const answer = (...given: Answer[]) => {
    answers.push(...given);
    const before = wake;
    wake = Promise.withResolvers();
    before.resolve();
  };
  return { feed, lease, told, errors, answer };
}

it('counts a time as told once no event of it can come any more', async () => {
  const { feed, lease, told, answer } = setUp();
  await until('it reads', () => told.opened > 0);
  answer({ event: 12 }, { event: 12 });
  await until('both are told', () => told.keys === 2);
  expect(lease.isHeld()).toBe(false);
  answer({ looked: 12 });
  await until('memory may answer', () => lease.isHeld());
  expect(feed.hasApplied(at(12))).toBe(true);
  answer({ event: 14 });
  await until('the third is told', () => told.keys === 3);
  await until('what is earlier counts', () => feed.hasApplied(at(13)));
  expect(feed.hasApplied(at(14))).toBe(false);
  answer({ looked: 14 });
  await until('its time counts', () => feed.hasApplied(at(14)));
});

it('lets memory answer as soon as its stream tells that it has registered, and does not wait for what comes next', async () => {
  const { feed, lease, told, answer } = setUp();
  await until('it reads', () => told.opened > 0);
  answer({ event: 12, registers: true });
  await until('memory may answer', () => lease.isHeld());
  expect(feed.hasApplied(at(12))).toBe(true);
  expect(feed.hasApplied(at(13))).toBe(false);
});

it('begins anew where its stream has ended, and reads no more once it is stopped', async () => {
  const { feed, told, errors, answer } = setUp();
  await until('it reads', () => told.opened === 1);
  answer('ended');
  await until('it reads another', () => told.opened === 2);
  expect(errors).toEqual(['Error: the change stream has ended']);
  expect(told.gaps).toBeGreaterThan(1);
  void feed.stop();
  answer('ended', { looked: 20 });
  await until('nothing is held', () => feed.hasApplied(at(99)));
  expect(told.opened).toBe(2);
});
