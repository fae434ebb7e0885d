import { until } from '../real/until.ts';
import type { Witness } from './checks/witness.ts';
import type { Fleet, Replica } from './fleet.ts';
import type { Patch } from './mutant.ts';
import { instantOf, makeKeys, remembers, replicasOf } from './scenarios.ts';

/** A fleet of so few replicas is a large one: two of them read the change stream, and hand on what it tells. */
export const fewAreMany: Patch = {
  file: 'src/mongo/feed/tick.ts',
  find: 'relayedFromDefault = 21;',
  replace: 'relayedFromDefault = 2;',
};

const keysRevoked = 10;

/** Keys are revoked by one replica after another, and asked for at all others at once. Wants {@link fewAreMany}. */
export const relayedRevocations = async (fleet: Fleet, witness: Witness) => {
  await readersOf(fleet);
  const [first] = replicasOf(fleet);
  const keys = await makeKeys(witness, first, keysRevoked);
  for (const [at, key] of keys.entries()) {
    const by = fleet.replicas[at % fleet.replicas.length] as Replica;
    // Just before: whatever is told late of how it was made would have it forgotten.
    for (const replica of fleet.replicas) await remembers(witness, replica, key);
    const { outcome } = await witness.change(by, 'revoke', key.id);
    if (outcome === 'done') await Promise.all(fleet.replicas.map((replica) => witness.check(replica, key)));
  }
};

/**
 * A replica that reads what relays hand on stands still until the pages that it has not read are gone, and finds such as
 * begin later; some rounds, as one that was away for long forgets what it knew, and has nothing wrong to say. Wants
 * {@link fewAreMany}.
 */
export const missedPages = async (fleet: Fleet, witness: Witness) => {
  for (let round = 0; round < rounds; round++) await missPages(fleet, witness);
};

const rounds = 4;

async function missPages(fleet: Fleet, witness: Witness): Promise<void> {
  const { reader, relay } = await readersOf(fleet);
  const [revoked, kept] = await makeKeys(witness, relay, 2);
  // As above: news of how they were made are handed on a moment later.
  for (const { id } of [revoked, kept])
    await untilPages(fleet, { told: { $elemMatch: { $elemMatch: { $eq: id } } } });
  for (const key of [revoked, kept]) await remembers(witness, reader, key);
  const end = witness.fault(`${reader.name} is stopped until what it has not read is purged`);
  await reader.postern().kill('SIGSTOP');
  try {
    // What the server was asked for before is answered with the next page: that is not to be the one of the revocation.
    await emptyPages(fleet);
    await untilPages(fleet);
    const revocation = await until('revoked', async () => {
      const done = await witness.change(relay, 'revoke', revoked.id);
      return done.outcome === 'done' && done;
    });
    await until('it is in effect', () => witness.now() > instantOf(revocation));
    await emptyPages(fleet);
    await untilPages(fleet);
  } finally {
    await reader.postern().kill('SIGCONT');
  }
  end();
  // What it asks the store for it would learn by that.
  await remembers(witness, reader, kept);
  await witness.check(reader, revoked);
}

/** One replica that reads the stream for others, and one that does not, once there are such. */
async function readersOf(fleet: Fleet): Promise<{ readonly relay: Replica; readonly reader: Replica }> {
  await untilPages(fleet);
  return until('there are two relays', async () => {
    const primary = await fleet.primary();
    const filter = { _id: { $regex: '^relay changes' }, $expr: { $gt: ['$until', '$$NOW'] } };
    const duties = await primary.command({ find: 'duties', filter }, fleet.database);
    const holders = (duties.cursor.firstBatch as { holder: string }[]).map(({ holder }) => holder);
    const named = await primary.command(
      { find: 'replicas', filter: { _id: { $in: holders } } },
      fleet.database,
    );
    const names = (named.cursor.firstBatch as { replica_id: string }[]).map(({ replica_id }) => replica_id);
    const relay = fleet.replicas.find(({ name }) => names.includes(name));
    const reader = fleet.replicas.find(({ name }) => !names.includes(name));
    return names.length === 2 && relay && reader && { relay, reader };
  });
}

async function emptyPages(fleet: Fleet): Promise<void> {
  const primary = await fleet.primary();
  const deletes = [{ q: {}, limit: 0 }];
  await primary.command({ delete: 'relay_pages', deletes, writeConcern: { w: 'majority' } }, fleet.database);
}

async function untilPages(fleet: Fleet, query: object = {}): Promise<void> {
  await until(
    'relays hand on pages',
    async () =>
      (await (await fleet.primary()).command({ count: 'relay_pages', query }, fleet.database)).n > 0,
  );
}
