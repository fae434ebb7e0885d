/**
 * What rows of the request log cost the store on SQLite, and how long lists of them take: `node bench/request-rows.ts`,
 * with `--rows 1000000`, `--keys 100000`, and `--denied 0.9` as the share of denials.
 */
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { KeyId } from '../src/keys/key.ts';
import { createSqliteStore } from '../src/sqlite/store.ts';
import type { RequestFilter, StoredRequest } from '../src/store/usage/request-log.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    keys: { type: 'string', default: '100000' },
    denied: { type: 'string', default: '0.9' },
  },
});
const [rows, keys, denied] = [Number(values.rows), Number(values.keys), Number(values.denied)];
// As a flood fills it by the default: 20 000 in a minute, handed on in batches of 250.
const [msBetween, batchSize] = [3, 250];
const began = Date.UTC(2040, 0, 1);
const path = join(tmpdir(), `postern-requests-${process.pid}.db`);
let now = began;
let store = createSqliteStore({ path, now: () => now, requestRowsMax: 2 * rows });
await store.open();

const alike = (at: number) => Math.imul(at, 2_654_435_761) >>> 0;
const keyOf = (at: number) => `key_01k0c6h3v8${(alike(at) % keys).toString(36).padStart(16, '0')}` as KeyId;
const ownerOf = (at: number) => `owner-${alike(at) % 1_000}`;

function rowOf(at: number): StoredRequest {
  const isDenied = (alike(at + 7) % 1_000) / 1_000 < denied;
  return {
    id: `${alike(at + 1)
      .toString(36)
      .padStart(8, '0')}${at.toString(36).padStart(8, '0')}`,
    ...{ at: began + at * msBetween, count: 1, key: keyOf(at), owner: ownerOf(at) },
    ...{ method: 'GET', host: 'api.example.com', path: `/v1/accounts/acc_${at % 100}/messages` },
    ...{ address: `203.0.113.${at % 250}`, scheme: 'postern', environment: 'live' },
    ...(isDenied
      ? { decision: 'deny', reason: at % 100_000 === 0 ? 'expired' : 'permission_denied', status: 403 }
      : { decision: 'allow', reason: null, status: 200 }),
  };
}

/** Microseconds of processor time a row. */
async function write(from: number, until: number): Promise<string> {
  const before = process.cpuUsage();
  let made = 0;
  for (let start = from; start < until; start += batchSize) {
    const making = process.cpuUsage();
    const batch = Array.from({ length: Math.min(batchSize, until - start) }, (_, at) => rowOf(start + at));
    now = began + (start + batchSize) * msBetween;
    const { user, system } = process.cpuUsage(making);
    made += user + system;
    await store.recordRequests(batch);
  }
  const { user, system } = process.cpuUsage(before);
  return ((user + system - made) / (until - from)).toFixed(1);
}

async function list(name: string, filter: RequestFilter, size = 50): Promise<void> {
  const times: number[] = [];
  let found = 0;
  for (let turn = 0; turn < 5; turn++) {
    const start = performance.now();
    found = (await store.listRequests(filter, { after: null, size })).length;
    times.push(performance.now() - start);
  }
  const [first, best] = [times[0] as number, Math.min(...times)];
  console.log(`${name}: ${best.toFixed(1)} ms (the first time ${first.toFixed(1)}), ${found} rows`);
}

console.log(`the first tenth of ${rows} rows: ${await write(0, rows / 10)} µs a row`);
console.log(`the others: ${await write(rows / 10, rows)} µs a row`);
console.log(`20 000 of them again, one more of each: ${await write(rows - 20_000, rows)} µs a row`);
await store.close();
const opening = performance.now();
store = createSqliteStore({ path, now: () => now, requestRowsMax: 2 * rows });
await store.open();
console.log(`opened in ${(performance.now() - opening).toFixed(0)} ms`);
await list('the newest', {});
await list('of a key', { key: keyOf(12_345) });
await list('of a key, 1 000', { key: keyOf(12_345) }, 1_000);
await list('of no key that is there', { key: 'key_01k0c6h3v80000000000000000' as KeyId });
await list('of an owner', { owner: ownerOf(12_345) });
await list('of an owner, 1 000', { owner: ownerOf(12_345) }, 1_000);
await list('of a key of another owner', { key: keyOf(12_345), owner: 'nobody' });
await list('denials', { decision: 'deny' });
await list('a rare reason', { reason: 'expired' });
await list('no such reason', { reason: 'revoked' });
await list('the last hour', { since: now - 3_600_000 });
await list('denials of an owner in the last hour', {
  decision: 'deny',
  owner: ownerOf(7),
  since: now - 3_600_000,
});
await store.close();
for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true });
