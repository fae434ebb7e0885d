import { until } from '../real/until.ts';
import type { Fleet, Replica } from './fleet.ts';
import type { Patch } from './mutant.ts';
import { instantOf, knownKeys, letsIn, remembers } from './scenarios.ts';
import type { Witness } from './witness.ts';

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
  const keys = await knownKeys(fleet, witness, keysRevoked);
  for (const [at, key] of keys.entries()) {
    const by = fleet.replicas[at % fleet.replicas.length] as Replica;
    const { outcome } = await witness.change(by, 'revoke', key.id);
    if (outcome === 'done') await Promise.all(fleet.replicas.map((replica) => witness.check(replica, key)));
  }
};

/**
 * A replica that reads what relays hand on stands still until the pages that it has not read are gone, and finds such as
 * begin later. Wants {@link fewAreMany}.
 */
export const missedPages = async (fleet: Fleet, witness: Witness) => {
  const [revoked, kept] = await knownKeys(fleet, witness, 2);
  const { reader, relay } = await readersOf(fleet);
  const end = witness.fault(`${reader.name} is stopped until what it has not read is purged`);
  await reader.postern().kill('SIGSTOP');
  try {
    const revocation = await until('revoked', async () => {
      const done = await witness.change(relay, 'revoke', revoked.id);
      return done.outcome === 'done' && done;
    });
    await until('it is in effect', () => witness.now() > instantOf(revocation));
    const primary = await fleet.primary();
    const deletes = [{ q: {}, limit: 0 }];
    await primary.command({ delete: 'relayed', deletes, writeConcern: { w: 'majority' } }, fleet.database);
    await untilPages(fleet);
  } finally {
    await reader.postern().kill('SIGCONT');
  }
  end();
  // What it asks the store for it would learn by that.
  await remembers(witness, reader, kept);
  await witness.check(reader, revoked);
  await letsIn(witness, reader, kept);
};

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

async function untilPages(fleet: Fleet): Promise<void> {
  await until(
    'relays hand on pages',
    async () => (await (await fleet.primary()).command({ count: 'relayed' }, fleet.database)).n > 0,
    { deadlineMs: 90_000 },
  );
}
