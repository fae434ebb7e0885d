/**
 * What a fleet costs its MongoDB: `node bench/fleet-simulation.ts`. Sizes and the server's time are measured on a
 * real mongod, writes for limits and use are counted from the real limiter and the real gatherer of use, and
 * the rest follows from the constants of the code. Prints Markdown.
 */
import { renewalsPerLease } from '../src/mongo/feed/feed.ts';
import { settingsSchema } from '../src/settings/settings-schema.ts';
import { type KeySizes, type StreamCost, timeStreams, weighKeys, withMongo } from './fleet-measurements.ts';
import { admittedPart, leaseWrites, usageWrites, type Workload } from './fleet-workload.ts';
import { createRandom } from './random.ts';

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

const measured = await withMongo(async (client, mongo) => ({
  version: (await client.db().admin().serverInfo()).version as string,
  sizes: await weighKeys(client, sampleSize),
  streams: await timeStreams(client, mongo, streamsMeasured),
}));
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
Measured here, on MongoDB ${measured.version}: a beat takes ${writeUs.toFixed(0)} µs of the server's processor, and ${wakeUs.toFixed(0)} µs more for each change
stream that stands by and is not told of it; one of 500 writes at a time, ${lookUs.toFixed(1)} µs for each (${streamsMeasured} streams).
`);
say(sizesTable(measured.sizes));
say('');
say(await keysInUseTable());
say('');
say(await limitsTable());

function writesTable(): string {
  const rows = fleets.map((replicas) => columns(replicas, measured.streams));
  const names = Object.keys(rows[0] ?? {});
  return table(
    ['each second', ...fleets.map((replicas) => `${thousands(replicas)} replicas`)],
    names.map((name) => [name, ...rows.map((row) => thousands(row[name] ?? 0))]),
  );
}

function columns(replicas: number, { wakeUs, writeUs, lookUs }: StreamCost): Record<string, number> {
  const beats = replicas / (settings.staleness_max / 1_000 / renewalsPerLease);
  const acknowledgements = narrowingsPerSecond * replicas;
  const largest = limiterFleets.filter((size) => size <= replicas).at(-1) ?? 1;
  const limits = ((leases.get(largest)?.perSecond ?? 0) * replicas) / largest;
  const own = beats + acknowledgements + 2 * narrowingsPerSecond;
  const oplog = own + limits + replicas * (usage.hours + usage.touches);
  return {
    Checks: replicas * workload.checksPerSecond,
    'beats written': beats,
    'marks and acknowledgements written': acknowledgements + narrowingsPerSecond,
    'leases of limits written': limits,
    'hours of use written': replicas * usage.hours,
    'last uses written': replicas * usage.touches,
    'commands for these two': replicas * usage.commands,
    'events delivered to all streams': beats + replicas * 2 * narrowingsPerSecond,
    'oplog entries that each stream looks at': oplog,
    'looks, all streams': oplog * replicas,
    'cores of the server: beats': (beats * (writeUs + replicas * wakeUs)) / 1e6,
    'cores: marks and acknowledgements': ((own - beats) * (writeUs + replicas * wakeUs)) / 1e6,
    'cores: streams that look at limits and use': ((oplog - own) * replicas * lookUs) / 1e6,
  };
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
    const { hours, touches } = await usageWrites(fewer, random);
    const { leases: count, checks } = await leaseWrites(replicas, fewer, random);
    const perThousand = (writes: number, of: number) => thousands((writes * 1_000) / of);
    const uses = perThousand(hours + touches, workload.checksPerSecond);
    rows.push([thousands(keys), perThousand(count, checks), uses]);
  }
  const head = ['keys in use', 'leases for 1,000 Checks', 'hours and last uses for 1,000 Checks'];
  return table(head, rows);
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

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, at) => (at === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

function thousands(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 });
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
