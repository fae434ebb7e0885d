// What the use of keys costs from the Check worker's memory to the store's doorstep: see README.md.
import { parseArgs } from 'node:util';
import { KeyTable } from '../src/cache/key-table.ts';
import { createSharedTerms } from '../src/cache/shared-terms.ts';
import { createUseNotices } from '../src/events/use-notices.ts';
import { type CheckedKey, createKeyIds } from '../src/keys/key.ts';
import { createDigester, type Digest } from '../src/keys/secret.ts';
import type { ServiceAnswers } from '../src/link/messages.ts';
import { createPeer, type Procedures } from '../src/link/peer.ts';
import type { Port } from '../src/link/port.ts';
import { type SentTallies, takeTallies } from '../src/link/sent-tallies.ts';
import { createWorkerStore } from '../src/link/worker-store.ts';
import { createUsage } from '../src/usage/usage.ts';
import { wholeNumber } from './checks/options.ts';
import { createRandom } from './common/random.ts';
import { recordTemplate } from './common/seed.ts';
import { createAllow } from './common/usage-allow.ts';
import { table } from './report/markdown.ts';
import { spreadOf, spreadText } from './report/report.ts';

const usage = `usage: node bench/usage-path.ts [options]
  --keys LIST        keys, each used once between two writes (100000,1000000)
  --addresses N      addresses that they are used from (1)
  --owners N         owners that they are of (1000)
  --rounds N         measured writes (5)`;

const page = 1_000;
const hourMs = 3_600_000;

/** Processor time for each key, microseconds. */
interface Write {
  /** Before it, to find each key and count its first use. */
  readonly count: number;
  /** All that this process ran, its collections of garbage too. */
  readonly all: number;
  /** Of it, what lies between the worker's columns and the service's tallies: copied as a message is. */
  readonly link: number;
  /** Of it, until what is to be told of it is known. */
  readonly notices: number;
  readonly holdMs: number;
}

async function measure(keys: number, addresses: number, owners: number, rounds: number): Promise<Write[]> {
  const { table: held, digests } = await holdKeys(keys, owners);
  const allow = createAllow();
  const random = createRandom(1);
  const { service, micros } = createService();
  const gathered = createUsage(
    {
      store: createWorkerStore({ service, workers: 1, stalenessMaxMs: 1e9, monotonic: () => 0 }),
      ...{ onError, onDropped: onError },
    },
    { flushMs: 5_000, talliesMax: 200_000, heldMax: keys },
  );
  const hour = Date.now() - (Date.now() % hourMs);
  const writes: Write[] = [];
  for (let round = 0; round <= rounds; round++) {
    shuffle(digests, random);
    const counting = process.cpuUsage();
    for (const [at, digest] of digests.entries()) {
      gathered.record(
        allow(held.get(digest) as CheckedKey),
        ['192', '0', '2', String(at % addresses)].join('.'),
        hour + round * 1_000,
      );
      if (at % page === 0) await turn();
    }
    const counted = process.cpuUsage(counting);
    Object.assign(micros, { link: 0, notices: 0, taken: 0 });
    const began = process.cpuUsage();
    const watch = watchHolds();
    await gathered.flush();
    const holdMs = await watch.stop();
    const { user, system } = process.cpuUsage(began);
    if (micros.taken !== keys) throw new Error(`${micros.taken} of ${keys} arrived`);
    const each = (all: number) => all / keys;
    const count = each(counted.user + counted.system);
    const parts = { link: each(micros.link), notices: each(micros.notices) };
    writes.push({ count, all: each(user + system), ...parts, holdMs });
  }
  return writes.slice(1);
}

/** Keys in memory, by these digests. */
async function holdKeys(keys: number, owners: number) {
  const table = new KeyTable(keys, createSharedTerms());
  const { sign } = createDigester([]);
  const nextId = createKeyIds(Date.now);
  const digests: Digest[] = [];
  for (let at = 0; at < keys; at++) {
    const id = nextId();
    const names = { id, spender: id, name: `bench ${at}`, owner: `acme-${at % owners}`, plan: 'pro' };
    const digest = sign(id);
    table.set(digest, { ...recordTemplate, ...names });
    digests.push(digest);
    if (at % page === 0) await turn();
  }
  return { table, digests };
}

/** The service at the other end of a link that copies what is sent as one between threads does; it writes nothing. */
function createService() {
  const micros = { link: 0, notices: 0, taken: 0 };
  const { note } = createUseNotices({
    store: { noteAddresses: async () => [], getKey: async () => null, appendJournal: async () => {} },
    ...{ now: Date.now, onError, onDropped: onError },
  });
  const takers: ((value: unknown) => void)[] = [];
  const portOf = (own: number): Port => ({
    post(value) {
      const began = ran();
      const copy = structuredClone(value);
      micros.link += ran() - began;
      setImmediate(() => takers[1 - own]?.(copy));
    },
    onValue(take) {
      takers[own] = take;
    },
  });
  const answers = {
    async recordUsage(sent: SentTallies) {
      const began = ran();
      const tallies = takeTallies(sent);
      const noting = ran();
      await note(tallies);
      micros.link += noting - began;
      micros.notices += ran() - noting;
      micros.taken += tallies.length;
    },
  };
  const onTold = () => {};
  createPeer<Procedures, typeof answers, never, never>(portOf(0), { answers, onTold });
  const service = createPeer<ServiceAnswers, Procedures, never, never>(portOf(1), { answers: {}, onTold });
  return { service, micros };
}

function onError(error: unknown): never {
  throw error;
}

/** The longest that this thread ran on without its event loop. */
function watchHolds() {
  let [last, holdMs, watching] = [ran(), 0, true];
  const watched = (async () => {
    while (watching) {
      await turn();
      const now = ran();
      [holdMs, last] = [Math.max(holdMs, (now - last) / 1_000), now];
    }
  })();
  return {
    async stop() {
      watching = false;
      await watched;
      return holdMs;
    },
  };
}

/** Microseconds that this thread had a processor. */
function ran(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

function shuffle<T>(items: T[], random: ReturnType<typeof createRandom>): void {
  for (let at = items.length - 1; at > 0; at--) {
    const other = random.below(at + 1);
    [items[at], items[other]] = [items[other] as T, items[at] as T];
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

try {
  const { values } = parseArgs({
    options: {
      keys: { type: 'string', default: '100000,1000000' },
      addresses: { type: 'string', default: '1' },
      owners: { type: 'string', default: '1000' },
      rounds: { type: 'string', default: '5' },
    },
  });
  const rows: string[][] = [];
  for (const each of values.keys.split(',')) {
    const keys = wholeNumber('keys', each);
    const [addresses, owners] = [
      wholeNumber('addresses', values.addresses),
      wholeNumber('owners', values.owners),
    ];
    const writes = await measure(keys, addresses, owners, wholeNumber('rounds', values.rounds));
    const of = (value: (write: Write) => number, digits: number) =>
      spreadText(spreadOf(writes.map(value)), digits);
    rows.push([
      keys.toLocaleString('en'),
      of(({ count }) => count, 2),
      of(({ all }) => all, 2),
      of(({ link }) => link, 2),
      of(({ notices }) => notices, 2),
      of(({ holdMs }) => holdMs, 1),
    ]);
  }
  console.log(
    table(
      ['keys', 'µs to count', 'to write in all', 'of it the link', 'of it notices', 'longest hold ms (run)'],
      rows,
    ),
  );
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
  process.exitCode = 2;
}
