/**
 * What a fleet costs its MongoDB: `node bench/fleet-simulation.ts`. Fleets of real change feeds are run on one real
 * mongod, whose processor time is counted, and from there it is computed what a larger one costs; sizes are measured,
 * writes for limits and use are counted from the real limiter and the real gatherer of use. Prints Markdown.
 *
 * `--replicas 10,100,300` names the fleets, `--seconds 20` how long each is looked at while it is idle, `--revocations 20`
 * how many keys are revoked, one a second; `--compare DIR` runs another checkout beside this one, for before and after.
 * `--trouble 100` has half of such a fleet stop without a word, and takes the database away from the rest for a while;
 * `--feeds-only` leaves out what is computed, `--computed-only` the fleets; `--relayed-from 2` has relays read the change stream in smaller fleets, too.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { MongoClient } from 'mongodb';
import type { KeyId } from '../src/keys/key.ts';
import { renewalsPerLease } from '../src/mongo/feed/feed.ts';
import { settingsSchema } from '../src/settings/settings-schema.ts';
import type { Mongo } from '../test/real/mongod.ts';
import { wholeNumber } from './checks/options.ts';
import { createRandom } from './common/random.ts';
import { type CoreCosts, coresTable, costsTable, type FleetRates } from './fleet/cores.ts';
import { foldersText, measureFolders } from './fleet/folders.ts';
import { type KeySizes, timeStreams, weighKeys, withMongo } from './fleet/measurements.ts';
import { measureParts, type PartCosts } from './fleet/parts.ts';
import { type FleetCost, runFleet } from './fleet/run.ts';
import { fitTable, fleetsTable, limitsTable, thousands } from './fleet/tables.ts';
import { troubleFleet, troubleTable } from './fleet/trouble.ts';
import { useWrites } from './fleet/use.ts';
import { leasesOfOne, noLeases, usageWrites, type Workload } from './fleet/workload.ts';
import { table } from './report/markdown.ts';

const { values: options } = parseArgs({
  options: {
    replicas: { type: 'string', default: '10,100,300' },
    seconds: { type: 'string', default: '20' },
    revocations: { type: 'string', default: '20' },
    compare: { type: 'string' },
    trouble: { type: 'string' },
    'relayed-from': { type: 'string' },
    'feeds-only': { type: 'boolean', default: false },
    'computed-only': { type: 'boolean', default: false },
  },
});
const checkout = fileURLToPath(new URL('..', import.meta.url));
const checkouts = options.compare === undefined ? [checkout] : [options.compare, checkout];
const settings = settingsSchema.parse({});
const workload: Workload = {
  keys: 100_000_000,
  checksPerSecond: 1_000,
  limit: 300,
  windowMs: 60_000,
  flushMs: settings.usage_flush_interval,
};
const sampleSize = 50_000;
const streamsMeasured = 40;
const partKeys = 5_000;
const fleets = [10, 100, 1_000];
/** Fleets that the limiter is run for in full; a larger one writes in proportion, hot keys less. */
const limiterFleets = [1, 10];
const narrowingsPerSecond = 1;
const registeredEverySeconds = 16.5;
const startEveryMs = 200;
/** What the entry of a last use costs a stream; measured on MongoDB 6.0 by ten streams that read 3 000 entries at once. */
const lastUseUs = 40;
/** Keys that Checks come from, in the computed tables. */
const keysOfTables = [1_000_000, 100_000_000];
/** Whether each key has a limit, and whose keys they are. */
const casesOfTables = [
  [false, 'one'],
  [false, 'each'],
  [true, 'one'],
] as const;

const relayedFrom = options['relayed-from'] && wholeNumber('relayed-from', options['relayed-from']);
const isComputed = !options['feeds-only'];
const measured = await withMongo(async (client, mongo) => ({
  version: (await client.db().admin().serverInfo()).version as string,
  sizes: isComputed ? await weighKeys(client, sampleSize) : null,
  streams: isComputed ? await timeStreams(client, mongo, streamsMeasured) : null,
  parts: isComputed ? await measureAllParts(client, mongo) : null,
  folders: isComputed ? await measureFolders(client, workload, keysOfTables) : [],
  fleets: options['computed-only'] ? new Map<string, FleetCost[]>() : await runFleets(client, mongo),
  trouble: options.trouble && (await troubleFleet(client, mongo, wholeNumber('trouble', options.trouble))),
}));
if (measured.fleets.size > 0) {
  say(fleetsTable(measured.fleets, checkout));
  say('');
  say(fitTable(measured.fleets, checkout));
}
if (measured.trouble) say(`\n${troubleTable(measured.trouble)}`);
if (measured.streams === null || measured.sizes === null || measured.parts === null) process.exit();
say('');
const random = createRandom(1);
const usage = await usageWrites(workload, random);
const leases = new Map<number, { readonly asked: number }>();
for (const replicas of limiterFleets) leases.set(replicas, await leasesOfOne(replicas, workload, random));

say(`Each replica answers ${thousands(workload.checksPerSecond)} Checks a second, by Zipf's law over ${thousands(workload.keys)} keys that have a limit of
${workload.limit} in ${workload.windowMs / 1_000} s each; staleness_max is ${settings.staleness_max / 1_000} s, usage_flush_interval ${workload.flushMs / 1_000} s; ${narrowingsPerSecond} change a second narrows access.
`);
say(writesTable());
const { writeUs, wakeUs, lookUs } = measured.streams;
const costs: CoreCosts = { ...measured.parts, write: writeUs, look: lookUs, lookAtLastUse: lastUseUs };
say(`
Measured here, on MongoDB ${measured.version}: each change stream that waits adds ${wakeUs.toFixed(0)} µs to a write by majority that it is not told of.
`);
say(costsTable(costs));
for (const [hasLimits, owners] of casesOfTables) {
  const rates = [];
  for (const keys of keysOfTables)
    rates.push({ ...(await ratesOf({ ...workload, keys }, hasLimits)), owners });
  say('');
  say(coresTable(fleets, rates, costs));
}
for (const each of measured.folders) {
  const { tallies } = await usageWrites(each.workload, random);
  say(foldersText(fleets, each, tallies));
}
say('');
say(sizesTable(measured.sizes));
say('');
say(await keysInUseTable());
say('');
say(await limitsTable(random));

function writesTable(): string {
  const rows = fleets.map((replicas) => columns(replicas));
  const names = Object.keys(rows[0] ?? {});
  return table(
    ['each second', ...fleets.map((replicas) => `${thousands(replicas)} replicas`)],
    names.map((name) => [name, ...rows.map((row) => thousands(row[name] ?? 0))]),
  );
}

function columns(replicas: number): Record<string, number> {
  const renewals = replicas / (settings.staleness_max / 1_000 / renewalsPerLease);
  const acknowledgements = narrowingsPerSecond * replicas;
  const largest = limiterFleets.filter((size) => size <= replicas).at(-1) ?? 1;
  const limits = (leases.get(largest)?.asked ?? 0) * replicas;
  const registered = replicas / registeredEverySeconds;
  const own = renewals + registered + acknowledgements + narrowingsPerSecond;
  const batches = replicas * usage.batches;
  const use = useWrites(replicas, workload, usage.tallies);
  const oplog =
    own + limits + batches * 2 + use.documents * 2 + use.settled + use.touches + use.newDays + use.sums;
  return {
    Checks: replicas * workload.checksPerSecond,
    'times asked of a majority': renewals,
    'marks, acknowledgements and registrations written': own - renewals,
    'leases of limits written': limits,
    'batches of use written': batches,
    'keys in folds': use.folded,
    'keys in merges': use.merged,
    'documents that these are in': use.documents,
    'last uses written': use.touches,
    'rows of hours that are over': use.settled,
    'days and months of keys written': use.newDays + use.sums,
    'oplog entries that the two relays look at': oplog,
  };
}

/** What one replica of a large fleet writes, as one of a few does. */
async function ratesOf(of: Workload, hasLimits: boolean): Promise<Omit<FleetRates, 'owners'>> {
  const few = limiterFleets.at(-1) ?? 1;
  const { batches, tallies } = await usageWrites(of, random);
  const leased = hasLimits ? await leasesOfOne(few, of, random) : noLeases;
  return {
    ...{ workload: of, hasLimits, leases: leased, batches, tallies, stalenessMaxMs: settings.staleness_max },
    narrowings: narrowingsPerSecond,
  };
}

async function measureAllParts(client: MongoClient, mongo: Mongo): Promise<PartCosts> {
  const found = client
    .db()
    .collection<{ _id: KeyId }>('keys')
    .find({}, { projection: { _id: 1 } });
  const url = new URL(mongo.uri);
  url.pathname = `/${client.db().databaseName}`;
  return measureParts(
    mongo,
    url.href,
    (await found.limit(partKeys).toArray()).map(({ _id }) => _id),
  );
}

async function runFleets(client: MongoClient, mongo: Mongo): Promise<Map<string, FleetCost[]>> {
  const sizes = options.replicas.split(',').map((size) => wholeNumber('replicas', size));
  const found = new Map<string, FleetCost[]>(checkouts.map((each) => [each, []]));
  for (const replicas of sizes) {
    for (const each of checkouts) {
      const cost = await runFleet(client, mongo, {
        ...{ replicas, checkout: each, processes: Math.ceil(replicas / 50) },
        idleSeconds: wholeNumber('seconds', options.seconds),
        revocations: wholeNumber('revocations', options.revocations),
        withinMs: replicas * startEveryMs,
        ...(relayedFrom && { relayedFrom }),
      });
      found.get(each)?.push(cost);
      // What is known so far, should a larger one not fit.
      process.stderr.write(`${JSON.stringify({ before: each !== checkout, ...cost })}\n`);
    }
  }
  return found;
}

function sizesTable({ document, stored, indexes, remembered }: KeySizes): string {
  const gigabytes = (bytes: number) => ((bytes * workload.keys) / 1e9).toFixed(1);
  const row = (name: string, bytes: number) => [name, bytes.toFixed(0), gigabytes(bytes)];
  const total = Object.values(indexes).reduce((sum, bytes) => sum + bytes, 0);
  return table(
    [`one key of ${thousands(sampleSize)}`, 'bytes', `GB for ${thousands(workload.keys)}`],
    [
      row('document', document),
      row('document on disk, compressed', stored),
      ...Object.entries(indexes).map(([name, bytes]) => row(`index \`${name}\``, bytes)),
      row('all indexes', total),
      [
        'in a replica that remembers it',
        remembered.toFixed(0),
        `${((remembered * 1e6) / 1e9).toFixed(2)} for 1,000,000`,
      ],
    ],
  );
}

/** The same Checks from fewer keys: what ten replicas write for them. */
async function keysInUseTable(): Promise<string> {
  const replicas = limiterFleets.at(-1) ?? 1;
  const rows: string[][] = [];
  for (const keys of [workload.keys, 1_000_000, 10_000, 100]) {
    const fewer = { ...workload, keys };
    const { tallies } = await usageWrites(fewer, random);
    const { asked } = await leasesOfOne(replicas, fewer, random);
    const perThousand = (writes: number, of: number) => thousands((writes * 1_000) / of);
    const folded = (fleet: number) => {
      const { documents, settled, touches, newDays, sums } = useWrites(fleet, fewer, tallies);
      return perThousand(documents + settled + touches + newDays + sums, fleet * workload.checksPerSecond);
    };
    const before = perThousand(2 * tallies, workload.checksPerSecond);
    rows.push([thousands(keys), perThousand(asked, fewer.checksPerSecond), before, ...fleets.map(folded)]);
  }
  const head = ['keys in use', 'leases for 1,000 Checks', 'writes of use, one replica by itself'];
  return table([...head, ...fleets.map((size) => `at ${thousands(size)} replicas`)], rows);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
