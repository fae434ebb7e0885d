import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { talliesOfFold } from '../../../src/mongo/usage/batches.ts';
import type { PlanDocument } from '../../../src/mongo/usage/plan.ts';
import { hourMs, startOf } from '../../../src/store/usage/usage-sums.ts';
import { type Mongo, startReplicaSet } from '../../real/mongod.ts';
import { standingStill } from '../../real/standing-still.ts';
import { until } from '../../real/until.ts';
import { nextId } from '../../store-contract/setting.ts';
import { tally } from '../../store-contract/use/usage.ts';
import { failCommands, timesEntered } from '../faults/fail-point.ts';
import { createSetting, type Setting } from '../setting.ts';
import { about } from './use-model.ts';

let mongo: Mongo;
beforeAll(async () => {
  mongo = await startReplicaSet({ own: true, args: ['--setParameter', 'enableTestCommands=1'] });
});
afterAll(() => mongo?.stop());

/** Of one fold. */
const sharesMin = 4;

it.each([
  ['another', { victim: 'second' }],
  ['the one that has given them out', { victim: 'first' }],
])(
  'counts once what processes fold of which %s is killed in the middle of a share',
  async (_, { victim }) => {
    const fleet = await createProcesses();
    await fleet.write(2 * sharesMin);
    await fleet.watchShares();
    const isVictim = { appName: victim, failCommands: ['insert'], namespace: `${fleet.name}.usage_open` };
    const entered = await timesEntered(fleet);
    // It writes some of its rows, and stands still within a later write, which comes after its end.
    await failCommands(fleet, { ...isVictim, blockConnection: true, blockTimeMS: 15_000 }, { skip: 3 });

    // Alone, so that nobody else has the duty.
    await fleet.start('first');
    await until('shares are given out', async () => ((await fleet.plan())?.shares?.shares.length ?? 0) > 1);
    if (victim === 'second') {
      // Else it may do all of them by itself while the other starts.
      await fleet.stop('first');
      await fleet.start('second');
    }
    await until('it stands still', async () => (await timesEntered(fleet)) > entered);
    const number = (await fleet.claimedBy(victim)).at(-1);
    await fleet.kill(victim);
    expect(await fleet.rowsOf(number)).toBeGreaterThan(0);
    expect(await fleet.rowsOf(number)).toBeLessThan(fleet.keys);
    expect(await fleet.isDone(number)).toBe(false);

    const others = ['first', 'second', 'third'].filter((name) => name !== victim);
    if (victim === 'second') fleet.goOn('first');
    else await fleet.start('second');
    await fleet.start('third');
    for (const name of others) await fleet.record(name);
    await until('each of the others has done a share', async () => {
      const done = await Promise.all(others.map((name) => fleet.doneBy(name)));
      if (done.every(({ length }) => length > 0)) return true;
      // One was so slow that the other has done all of it.
      if (await fleet.isFolded()) {
        await fleet.write(2 * sharesMin);
        for (const name of others) await fleet.record(name);
      }
      return false;
    });
    await until('all is folded', fleet.isFolded);
    expect(await fleet.doneBy(victim)).toEqual([]);
    expect((await Promise.all(others.map((name) => fleet.doneBy(name)))).flat()).toContain(number);
    await fleet.expectAllCounted();
  },
);

/** Processes, which wait for use of their own, and what others wrote, which is more than one folds alone. */
async function createProcesses() {
  const setting = await createSetting(mongo.uri, { fresh: true });
  const database = setting.client.db();
  const writer = setting.store({ foldEveryMs: 10 ** 8 });
  await writer.open();
  const hour = startOf('hour', Date.now());
  const ids = Array.from({ length: talliesOfFold / 2 }, () => nextId());
  const tallies = ids.map((id) => tally({ id }, { hour, allowed: 1, about }));
  const processes = new Map<string, ChildProcess>();
  const collection = database.collection<{ _id: string }>('usage_batches');
  const profiles = database.collection<Profiled>('system.profile');
  const written = { batches: 0, records: 0 };

  return {
    ...setting,
    name: database.databaseName,
    keys: ids.length,
    plan: () => collection.findOne<PlanDocument>({ _id: 'plan' }),
    isFolded: async () => (await collection.countDocuments({ packed: { $exists: true } })) === 0,
    async write(batches: number) {
      for (let batch = 0; batch < batches; batch++) await writer.recordUsage(tallies);
      written.batches += batches;
    },
    /** One use of one key: from then on it waits for that to be counted. */
    async record(name: string) {
      const recorded = once(processes.get(name) as ChildProcess, 'message');
      processes.get(name)?.send(tallies.slice(0, 1));
      await recorded;
      written.records++;
    },
    async start(name: string) {
      processes.set(name, await startReplica(setting, name));
    },
    async stop(name: string) {
      const { pid } = processes.get(name) as ChildProcess;
      process.kill(pid as number, 'SIGSTOP');
      await standingStill(pid as number);
    },
    goOn(name: string) {
      processes.get(name)?.kill('SIGCONT');
    },
    async kill(name: string) {
      const child = processes.get(name) as ChildProcess;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
    /** From now on the server notes who claims a share, and who says that it is done. */
    async watchShares() {
      const ofShares = { $or: [{ 'command.query._id': /^share / }, { 'command.q._id': /^share / }] };
      const filter = { ns: `${database.databaseName}.usage_batches`, ...ofShares };
      await database.command({ profile: 1, filter });
      onTestFinished(async () => void (await database.command({ profile: 0, filter: 'unset' })));
    },
    async claimedBy(appName: string): Promise<number[]> {
      return numbersOf(await profiles.find({ appName, op: 'command' }).toArray());
    },
    async doneBy(appName: string): Promise<number[]> {
      return numbersOf(await profiles.find({ appName, op: 'update', nModified: 1 }).toArray());
    },
    async isDone(number: number | undefined) {
      return (await collection.countDocuments({ _id: `share ${number}`, done: true })) > 0;
    },
    async rowsOf(run: number | undefined): Promise<number> {
      const found = await database.collection('usage_open').find({ run }).toArray();
      return found.reduce((sum, { rows }) => sum + rows.length, 0);
    },
    async expectAllCounted() {
      const { batches, records } = written;
      const query = {
        since: hour,
        until: hour + hourMs,
        interval: 'all',
        owner: null,
        order: 'allowed',
      } as const;
      for (const group of ['none', 'owner'] as const) {
        const found = await writer.sumUsage({ ...query, group, size: 10, after: null });
        expect(found.map(({ allowed }) => allowed)).toEqual([batches * ids.length + records]);
      }
      // Some of each document of a run: all of them at once would be minutes of the server's time.
      const some = ids.filter((_, at) => at % (ids.length / 200) === 0);
      const counted = await writer.countUse(some, [hour]);
      const expected = some.map((key) => [key, batches + (key === ids[0] ? records : 0)]);
      expect(new Map(counted.map(({ key, requests }) => [key, requests]))).toEqual(new Map(expected as []));
    },
  };
}

/** An update or a findAndModify, as the server's profiler has it. */
interface Profiled {
  readonly command: { readonly query?: Named; readonly q?: Named };
}

interface Named {
  readonly _id: string;
}

function numbersOf(profiled: readonly Profiled[]): number[] {
  return profiled.map(({ command }) => Number((command.query ?? command.q)?._id.slice('share '.length)));
}

/** The server knows it by its name. */
async function startReplica({ uri }: Pick<Setting, 'uri'>, name: string): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('share-replica.ts', import.meta.url));
  const address = `${uri}${uri.includes('?') ? '&' : '?'}appName=${name}`;
  const child = fork(program, [address, name], { execArgv: [] });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  await once(child, 'message');
  return child;
}
