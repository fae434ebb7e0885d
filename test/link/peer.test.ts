import { MessageChannel } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createPeer } from '../../src/link/peer.ts';
import { threadPort } from '../../src/link/port.ts';
import { ListenError } from '../../src/net/listen.ts';
import { StaleAnswer } from '../../src/store/stale-answer.ts';
import { BadRecord, StoreUnavailable } from '../../src/store/store.ts';

type Remote = {
  read(name: string): Promise<unknown>;
  fail(what: string): Promise<never>;
  hang(): Promise<void>;
  standStill(): string;
};

const failures: Readonly<Record<string, Error>> = {
  away: new StoreUnavailable('the store is away'),
  stale: new StaleAnswer('it came too late to count'),
  bad: new BadRecord('key_a', 'name'),
  listen: new ListenError('taken'),
  bug: new TypeError('a bug'),
};

/** Nothing of this thread goes on meanwhile. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Two peers over a real channel, whose values are cloned. */
function peers() {
  const { port1, port2 } = new MessageChannel();
  onTestFinished(() => port1.close());
  const heard: unknown[] = [];
  createPeer<Record<string, never>, Remote, never, unknown>(threadPort(port2), {
    answers: {
      read: async (name) => ({ name, digests: new Set([name]) }),
      fail: (what) => Promise.reject(failures[what]),
      hang: () => new Promise<void>(() => {}),
      standStill() {
        standStill(300);
        return 'done';
      },
    },
    onTold: (told) => heard.push(told),
  });
  const asking = createPeer<Remote, Record<string, never>, unknown, never>(threadPort(port1), {
    answers: {},
    onTold() {},
    answerMaxMsOf: { hang: 10, standStill: 10 },
  });
  return { asking, heard };
}

describe('the other end of a link', () => {
  it('answers what it is asked, after what it was told before', async () => {
    const { asking, heard } = peers();
    asking.tell(['first']);
    expect(await asking.ask('read', 'a')).toEqual({ name: 'a', digests: new Set(['a']) });
    expect(heard).toEqual([['first']]);
  });

  it('rejects with errors of the classes that are told apart', async () => {
    const { asking } = peers();
    for (const [what, { constructor: type }] of Object.entries(failures).slice(0, 4)) {
      await expect(asking.ask('fail', what)).rejects.toBeInstanceOf(type);
    }
    await expect(asking.ask('fail', 'bug')).rejects.toMatchObject({ name: 'TypeError', message: 'a bug' });
    await expect(asking.ask('fail', 'bug')).rejects.not.toBeInstanceOf(StoreUnavailable);
  });

  it('is heard where its answer is there, though this one stood still until the time for it was over', async () => {
    const { asking } = peers();
    expect(await asking.ask('standStill')).toBe('done');
  });

  it('is not available when it does not answer in time, or is gone', async () => {
    const { asking } = peers();
    await expect(asking.ask('hang')).rejects.toThrow(StoreUnavailable);
    const waiting = asking.ask('read', 'a');
    asking.close();
    await expect(waiting).rejects.toThrow(StoreUnavailable);
    await expect(asking.ask('read', 'a')).rejects.toThrow(StoreUnavailable);
    expect(asking.tell(['more'])).toBe(false);
  });
});
