/**
 * What a fleet costs its MongoDB: `node bench/fleet-simulation.ts`. Fleets of real change feeds are run on one real
 * mongod, whose processor time is counted, and from there it is computed what a larger one costs; sizes are measured,
 * writes for limits and use are counted from the real limiter and the real gatherer of use. Prints Markdown.
 *
 * `--replicas 10,100,300` names the fleets, `--seconds 20` how long each is looked at while it is idle, `--revocations 20`
 * how many keys are revoked, one a second; `--compare DIR` runs another checkout beside this one, for before and after.
 * `--trouble 100` has half of such a fleet stop without a word, and takes the database away from the rest for a while;
 * `--feeds-only` leaves out what is computed; `--relayed-from 2` has relays read the change stream in smaller fleets, too.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { MongoClient } from 'mongodb';
import { renewalsPerLease } from '../src/mongo/feed/feed.ts';
import { settingsSchema } from '../src/settings/settings-schema.ts';
import type { Mongo } from '../test/real/mongod.ts';
import { fittedAt } from './fleet-fit.ts';
import { type KeySizes, timeStreams, weighKeys, withMongo } from './fleet-measurements.ts';
import { type FleetCost, runFleet } from './fleet-run.ts';
import { fitsOf, fitTable, fleetsTable } from './fleet-tables.ts';
import { troubleFleet, troubleTable } from './fleet-trouble.ts';
import { admittedPart, keysUsed, leaseWrites, usageWrites, type Workload } from './fleet-workload.ts';
import { table } from './markdown.ts';
import { wholeNumber } from './options.ts';
import { createRandom } from './random.ts';

const { values: options } = parseArgs({
  options: {
    replicas: { type: 'string', default: '10,100,300' },
    seconds: { type: 'string', default: '20' },
    revocations: { type: 'string', default: '20' },
    compare: { type: 'string' },
    trouble: { type: 'string' },
    'relayed-from': { type: 'string' },
    'feeds-only': { type: 'boolean', default: false },
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
const fleets = [10, 100, 1_000];
/** Fleets that the limiter is run for in full; a larger one writes in proportion, hot keys less. */
const limiterFleets = [1, 10];
const narrowingsPerSecond = 1;
const registeredEverySeconds = 16.5;
const startEveryMs = 200;
/** How long batches of use wait to be folded together. */
const foldSeconds = 2;
/**
 * What an entry costs each stream, where the first stage of the filter leaves it out, and where it is of a key; measured on
 * MongoDB 6.0 by ten streams that read 3 000 entries at once.
 */
const unwatchedUs = 7;
const lastUseUs = 40;

const relayedFrom = options['relayed-from'] && wholeNumber('relayed-from', options['relayed-from']);
const isComputed = !options['feeds-only'];
const measured = await withMongo(async (client, mongo) => ({
  version: (await client.db().admin().serverInfo()).version as string,
  sizes: isComputed ? await weighKeys(client, sampleSize) : null,
  streams: isComputed ? await timeStreams(client, mongo, streamsMeasured) : null,
  fleets: await runFleets(client, mongo),
  trouble: options.trouble && (await troubleFleet(client, mongo, wholeNumber('trouble', options.trouble))),
}));
say(fleetsTable(measured.fleets, checkout));
say('');
say(fitTable(measured.fleets, checkout));
if (measured.trouble) say(`\n${troubleTable(measured.trouble)}`);
if (measured.streams === null || measured.sizes === null) process.exit();
say('');
const random = createRandom(1);
const usage = await usageWrites(workload, random);
const leases = new Map<number, Awaited<ReturnType<typeof leaseWrites>>>();
for (const replicas of limiterFleets) leases.set(replicas, await leaseWrites(replicas, workload, random));

say(`Each replica answers ${thousands(workload.checksPerSecond)} Checks a second, by Zipf's law over ${thousands(workload.keys)} keys that have a limit of
${workload.limit} in ${workload.windowMs / 1_000} s each; staleness_max is ${settings.staleness_max / 1_000} s, usage_flush_interval ${workload.flushMs / 1_000} s; ${narrowingsPerSecond} change a second narrows access.
`);
say(writesTable());
const { writeUs, wakeUs, lookUs } = measured.streams;
say(`
Measured here, on MongoDB ${measured.version}: a write by majority takes ${writeUs.toFixed(0)} µs of the server's processor, and ${wakeUs.toFixed(0)} µs more for each change
stream that waits and is not told of it; one of 500 writes at a time, ${lookUs.toFixed(1)} µs for each (${streamsMeasured} streams).
`);
say(sizesTable(measured.sizes));
say('');
say(await keysInUseTable());
say('');
say(await limitsTable());

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
  const fleet = fitsOf(measured.fleets.get(checkout) ?? []);
  const largest = limiterFleets.filter((size) => size <= replicas).at(-1) ?? 1;
  const limits = ((leases.get(largest)?.perSecond ?? 0) * replicas) / largest;
  const registered = replicas / registeredEverySeconds;
  const own = renewals + registered + acknowledgements + narrowingsPerSecond;
  const batches = replicas * usage.batches;
  // Of each key one, whichever replicas it was used at, and as many last uses.
  const hours = keysUsed(workload, replicas * workload.checksPerSecond * foldSeconds) / foldSeconds;
  // Of each key that was used in an hour, its day and its month when it is over.
  const hourSeconds = 3_600;
  const sums = (2 * keysUsed(workload, replicas * workload.checksPerSecond * hourSeconds)) / hourSeconds;
  const oplog = own + limits + batches + 2 * hours + sums;
  // Of those that stand in collections which no stream has to tell of, and of the others.
  const looksUs = (oplog - hours) * unwatchedUs + hours * lastUseUs;
  return {
    Checks: replicas * workload.checksPerSecond,
    'times asked of a majority': renewals,
    'marks, acknowledgements and registrations written': own - renewals,
    'leases of limits written': limits,
    'batches of use written': batches,
    'hours of use written, and as many last uses': hours,
    'days and months of keys written': sums,
    'oplog entries that each stream looks at': oplog,
    'looks, all streams': oplog * replicas,
    'cores: streams that look at the oplog': (looksUs * replicas) / 1e6,
    'cores: the fleet itself, idle, as fitted': fittedAt(fleet.idle, replicas),
    'cores: the same with one revocation a second': fittedAt(fleet.narrowing, replicas),
  };
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
    const { leases: count, checks } = await leaseWrites(replicas, fewer, random);
    const perThousand = (writes: number, of: number) => thousands((writes * 1_000) / of);
    const folded = (fleet: number) => {
      const checksInFold = fleet * workload.checksPerSecond * foldSeconds;
      return perThousand(2 * keysUsed(fewer, checksInFold), checksInFold);
    };
    const before = perThousand(2 * tallies, workload.checksPerSecond);
    rows.push([thousands(keys), perThousand(count, checks), before, ...fleets.map(folded)]);
  }
  const head = ['keys in use', 'leases for 1,000 Checks', 'hours and last uses, before'];
  return table([...head, ...fleets.map((size) => `at ${thousands(size)} replicas`)], rows);
}

async function limitsTable(): Promise<string> {
  const rows: string[][] = [];
  for (const limit of [10, 60, 300, 1_000, 10_000]) {
    const runs = await Promise.all(Array.from({ length: 200 }, () => admittedPart(limit, random)));
    const parts = runs.map(({ part }) => part * 100);
    const writes = runs.reduce((sum, run) => sum + run.leases, 0) / runs.length;
    const mean = parts.reduce((sum, part) => sum + part, 0) / parts.length;
    rows.push([
      thousands(limit),
      `${Math.min(...parts).toFixed(1)} %`,
      `${mean.toFixed(1)} %`,
      writes.toFixed(0),
    ]);
  }
  return table(
    ['limit, three replicas, two go quiet', 'admitted at worst', 'on average', 'leases a window'],
    rows,
  );
}

function thousands(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 });
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
