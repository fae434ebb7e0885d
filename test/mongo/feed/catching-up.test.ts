import { expect, inject, it } from 'vitest';
import { concerns, timeoutsOf } from '../../../src/mongo/client.ts';
import { pipeline } from '../../../src/mongo/feed/events.ts';
import { createFleet } from '../../../src/mongo/feed/fleet.ts';
import { positionOf } from '../../../src/mongo/feed/position.ts';
import { createSessions } from '../../../src/mongo/sessions.ts';
import { profile } from '../profile.ts';
import { createSetting } from '../setting.ts';

/** A replica as far as the register knows it. */
async function openFleet() {
  const setting = await createSetting(inject('mongoUri'));
  const timeouts = timeoutsOf();
  const database = setting.client.db(undefined, concerns(timeouts));
  const sessions = createSessions(setting.client, { timeoutMs: timeouts.operationMs });
  const options = { replicaId: 'one', stalenessMaxMs: 15_000, now: Date.now, lagMs: () => 0 };
  const fleet = createFleet(database, sessions, options);
  const concernsAsked = async (work: () => Promise<void>) =>
    (await profile(setting, 'replicas', work)).map(({ command }) => command.readConcern);
  return { database, fleet, concernsAsked };
}

it('a replica catches up by a write, for which the server flushes its journal at once', async () => {
  const { database, fleet, concernsAsked } = await openFleet();
  await fleet.register(1);
  const caughtUp = async () => (await database.collection('replicas').findOne())?.caught_up;
  const asked = await concernsAsked(async () => {
    await fleet.catchUp();
    await fleet.catchUp();
  });
  expect(asked).toEqual([]);
  expect(await caughtUp()).toBe(2);
});

it('a replica whose document is gone catches up by a linearizable read', async () => {
  const { database, fleet, concernsAsked } = await openFleet();
  const asked = await concernsAsked(() => fleet.catchUp());
  expect(asked).toMatchObject([{ level: 'linearizable' }]);
  expect(await database.collection('replicas').countDocuments()).toBe(0);
});

it('a replica wakes its own stream when it registers, and not by what it says in between', async () => {
  const { database, fleet } = await openFleet();
  const stream = database.watch(pipeline(fleet.runId));
  // Opened by the first look.
  expect(await stream.tryNext()).toBe(null);
  const time = await fleet.register(1);
  const first = await stream.next();
  expect(first).toMatchObject({ operationType: 'insert' });
  // Memory may answer once the stream has come to this time.
  expect(positionOf(first._id)).toEqual(time);
  await fleet.catchUp();
  await fleet.acknowledge(await fleet.renew(1));
  await fleet.register(2);
  const registered = { documentKey: { _id: fleet.runId }, operationType: 'update' };
  expect(await stream.next()).toMatchObject(registered);
  expect(await stream.tryNext()).toBe(null);
  await stream.close();
});
