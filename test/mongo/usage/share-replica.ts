/**
 * A process of `share-processes.test.ts`: a replica's store on the database of the first argument. Each message is use that it
 * records, and is answered when that is durable.
 */
import { createMongoStore } from '../../../src/mongo/store.ts';
import type { UsageTally } from '../../../src/store/usage/usage-tally.ts';

const [, , uri = '', replicaId = ''] = process.argv;
const store = createMongoStore({
  ...{ uri, replicaId, stalenessMaxMs: 15_000, settleMaxMs: 30_000, foldEveryMs: 10 },
  ...{ now: Date.now, monotonic: () => performance.now() },
  // A machine that tests may be slow.
  timeouts: { findKeyMs: 5_000, operationMs: 60_000, connectMs: 10_000 },
});
await store.open();
process.on('message', async (tallies: UsageTally[]) => {
  await store.recordUsage(tallies);
  process.send?.('recorded');
});
process.on('disconnect', () => process.exit());
process.send?.('opened');
