// What the admin API takes: `npm run bench:admin`; see README.md.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freshDatabase, startReplicaSet } from '../test/real/mongod.ts';
import { wholeNumber } from './checks/options.ts';
import { type AdminCall, createAdminCalls, type Timed, timeCalls } from './common/admin-calls.ts';
import { createBareCreate } from './common/bare-create.ts';
import { benchKeys } from './common/keys.ts';
import { readProcessorTime, since } from './common/processor-time.ts';
import { launchPostern } from './peers/postern.ts';
import { readMachine } from './report/machine.ts';
import { table } from './report/markdown.ts';

const usage = `usage: npm run bench:admin -- [options]
  --store LIST       of sqlite, mongodb (both)
  --keys N           keys in the store when it is listed (100000)
  --seconds N        of creates (5)
  --save             write the table to bench/results/admin.md (.cache/bench/results/admin.md)`;

/** Rows in one call, the most that it takes. */
const importRows = 1_000;
const createsBefore = 2_000;
const pageSize = 100;
const pagesTimed = 100;

interface Row {
  readonly what: string;
  readonly unit: string;
  /** Units in one call. */
  readonly perCall: number;
  readonly timed: Timed;
  /** Processor time of the service for each unit, and of mongod, microseconds; null where it had no part in it. */
  readonly serviceMicros: number | null;
  readonly storeMicros: number | null;
}

interface Service {
  readonly call: AdminCall;
  /** Of the database; null for a file. */
  readonly uri: string | null;
  readonly pid: number;
  readonly storePid: number | null;
  stop(): Promise<void>;
}

interface Bounds {
  readonly keys: number;
  readonly seconds: number;
}

/** What one store came to, in the order in which it was asked. */
async function measureStore(
  { call, uri, pid, storePid }: Service,
  { keys, seconds }: Bounds,
): Promise<Row[]> {
  const rows: Row[] = [];
  const measure = async (
    what: string,
    unit: string,
    perCall: number,
    work: () => Promise<Timed>,
    isBare = false,
  ) => {
    const [service, store] = [readProcessorTime(pid), storePid && readProcessorTime(storePid)];
    const timed = await work();
    const micros = (before: typeof service, of: number) =>
      since(before, readProcessorTime(of)).ranNs / 1_000 / timed.calls / perCall;
    const storeMicros = storePid && store ? micros(store, storePid) : null;
    rows.push({
      what,
      unit,
      perCall,
      timed,
      serviceMicros: isBare ? null : micros(service, pid),
      storeMicros,
    });
  };
  const create = async (at: number) => {
    const wanted = {
      name: `Asset backend ${at}`,
      owner: `customer-${at % 1_000}`,
      permissions: ['read:assets'],
    };
    expect(await call('POST', '/admin/api-keys', wanted), 201);
  };
  const whileShort = (_: number, ms: number) => ms < seconds * 1_000;
  // Until V8 has compiled what they take.
  for (const callers of [1, 32]) await timeCalls(callers, (calls) => calls < createsBefore, create);
  if (uri !== null) {
    const bare = await createBareCreate(uri);
    await timeCalls(1, (calls) => calls < createsBefore, bare.transact);
    const timeBare = (what: string, work: () => Promise<void>) =>
      measure(what, 'times', 1, () => timeCalls(1, whileShort, work), true);
    await timeBare('MongoDB alone: a key, 1 caller', bare.insert);
    await timeBare('MongoDB alone: all that a create writes, 1 caller', bare.transact);
    await bare.close();
  }
  for (const callers of [1, 32]) {
    const name = `create, ${callers} ${callers === 1 ? 'caller' : 'callers'}`;
    await measure(name, 'keys', 1, () => timeCalls(callers, whileShort, create));
  }
  const made = rows.reduce(
    (sum, { timed, unit }) => sum + (unit === 'keys' ? timed.calls : 0),
    2 * createsBefore,
  );
  const batches = Math.max(1, Math.ceil((keys - made) / importRows));
  const secrets = benchKeys(batches * importRows, 1);
  const importOne = async (at: number) => {
    const batch = secrets.slice(at * importRows, (at + 1) * importRows);
    const imported = batch.map((secret, row) => ({ secret, name: `Import ${row}`, owner: 'customer-1' }));
    expect(await call('POST', '/admin/api-keys:import', { keys: imported }), 200);
  };
  await measure('import', 'rows', importRows, () => timeCalls(1, (calls) => calls < batches, importOne));

  const list = async (token: string | null) => {
    const page = `/admin/api-keys?page_size=${pageSize}${token === null ? '' : `&page_token=${encodeURIComponent(token)}`}`;
    const answer = expect(await call('GET', page), 200) as {
      data: unknown[];
      next_page_token: string | null;
    };
    return answer;
  };
  const timePage = (what: string, token: string | null) =>
    measure(what, 'pages', 1, () =>
      timeCalls(
        1,
        (calls) => calls < pagesTimed,
        async () => void (await list(token)),
      ),
    );
  await timePage(`list ${pageSize}, the newest`, null);
  let listed = 0;
  let [token, last]: (string | null)[] = [null, null];
  const walk = async () => {
    const { data, next_page_token: next } = await list(token ?? null);
    listed += data.length;
    [last, token] = [next === null ? (last ?? null) : next, next];
  };
  const goesOn = (calls: number) => calls === 0 || token !== null;
  await measure('list, page after page', 'pages', 1, () => timeCalls(1, goesOn, walk));
  await timePage(`list ${pageSize}, the oldest of ${listed.toLocaleString('en')}`, last ?? null);
  return rows;
}

async function startService(store: string, scratch: string): Promise<Service> {
  const mongo = store === 'mongodb' ? await startReplicaSet({ own: true, onDisk: true }) : null;
  try {
    const uri = mongo === null ? `sqlite:${join(scratch, 'postern.db')}` : freshDatabase(mongo.uri).uri;
    const { child, url, adminKey } = await launchPostern(scratch, store, { POSTERN_STORE: uri });
    const { call, close } = createAdminCalls(url, adminKey);
    return {
      call,
      uri: mongo === null ? null : uri,
      pid: child.process.pid ?? 0,
      storePid: mongo?.members[0]?.pid() ?? null,
      async stop() {
        close();
        await child.stop();
        await mongo?.stop();
      },
    };
  } catch (error) {
    await mongo?.stop();
    throw error;
  }
}

function rowsTable(rows: readonly Row[]): string {
  const head = ['', 'a second', 'p50 ms', 'p99 ms', 'µs CPU of the service each', 'µs CPU of mongod each'];
  const cells = ({ what, unit, perCall, timed, serviceMicros, storeMicros }: Row) => [
    what,
    `${Math.round((timed.calls * perCall) / timed.seconds).toLocaleString('en')} ${unit}`,
    timed.p50Ms.toFixed(2),
    timed.p99Ms.toFixed(2),
    serviceMicros === null ? '' : serviceMicros.toFixed(0),
    storeMicros === null ? '' : storeMicros.toFixed(0),
  ];
  return table(head, rows.map(cells));
}

function expect({ status, json }: { status: number; json: unknown }, expected: number): unknown {
  if (status !== expected) throw new Error(`an admin call was answered with ${status}`);
  return json;
}

async function bench(): Promise<void> {
  const { values } = parseArgs({
    options: {
      store: { type: 'string', default: 'sqlite,mongodb' },
      keys: { type: 'string', default: '100000' },
      seconds: { type: 'string', default: '5' },
      save: { type: 'boolean', default: false },
    },
  });
  const bounds = { keys: wholeNumber('keys', values.keys), seconds: wholeNumber('seconds', values.seconds) };
  const scratch = mkdtempSync(join(tmpdir(), 'postern-bench-'));
  process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
  const { processor, cores, memoryGb, kernel, node, postern } = readMachine();
  const sections = [
    '# The admin API\n\nWritten by `npm run bench:admin`; [how to read it](../README.md#the-admin-api).',
    `${new Date().toISOString().slice(0, 10)}, on ${processor}, ${cores} cores, ${memoryGb} GB, ${kernel}; Node ${node}, Postern ${postern ?? 'of no revision'}.`,
  ];
  for (const store of values.store.split(',')) {
    const service = await startService(store, scratch);
    try {
      const name = store === 'mongodb' ? 'MongoDB, a replica set of one member' : 'SQLite';
      sections.push(`## ${name}`, rowsTable(await measureStore(service, bounds)));
    } finally {
      await service.stop();
    }
    process.stdout.write(`\n${sections.slice(-2).join('\n\n')}\n`);
  }
  const folder = fileURLToPath(new URL(values.save ? 'results' : '../.cache/bench/results', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'admin.md'), `${sections.join('\n\n')}\n`);
}

try {
  await bench();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n${usage}\n`);
  process.exitCode = 1;
}
