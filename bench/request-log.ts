// What the log of requests adds to a Check: node bench/request-log.ts [keys] [paths of each]
import { KeyTable } from '../src/cache/key-table.ts';
import { createSharedTerms } from '../src/cache/shared-terms.ts';
import type { Allowed } from '../src/check/authorize.ts';
import { createCheckReader } from '../src/grpc/check/check-request.ts';
import type { CheckedKey, KeyId } from '../src/keys/key.ts';
import { createDigester } from '../src/keys/secret.ts';
import { readPresets } from '../src/presets/read.ts';
import type { Scheme } from '../src/schemes/scheme.ts';
import { createRequestLog } from '../src/usage/requests/request-log.ts';
import { requestBytes } from './decision/request.ts';

const [keys = 1_000, paths = 1] = process.argv.slice(2).map(Number);
// Short rounds, so that most are not interrupted, and what the machine does besides comes to both kinds alike.
const [rounds, records, addresses] = [600, 4_000, 100];
const scheme = readPresets().get('postern') as Scheme;
let dropped = 0;
const log = createRequestLog(
  { send: async () => {}, schemes: () => [scheme], onError() {}, onLeftOut: (left) => (dropped += left) },
  // Ten times the default: what comes at once is then as much as one minute has by it.
  { flushMs: 5_000, rowsMax: 200_000 },
);
const read = createCheckReader();
const table = new KeyTable(keys, createSharedTerms());
const { sign } = createDigester([]);
const withheld = { headers: [], changed: [], parameters: [] };
const decisions = Array.from({ length: keys }, (_, at): Allowed => {
  const id = `key_01k0c6h3v8${(at * 2_654_435_761).toString(36).padStart(16, '0')}` as KeyId;
  const lists = { permissions: [], principals: [], roles: [], ipAllowlist: [], rateLimits: [], labels: {} };
  const times = { expiresAt: null, disabledAt: null, revokedAt: null, version: 1 };
  const key = { id, name: 'a', scheme: 'postern', environment: 'live', owner: 'acme', plan: null };
  table.set(sign(id), { ...key, ...lists, ...times, spender: id } as CheckedKey);
  return {
    ...{ verdict: 'allow', key: table.get(sign(id)) as CheckedKey },
    ...{ scheme, owner: null, permissions: [], withheld, plan: null, rate: null },
  };
});
// Few enough to stay in the processor's cache, so that what is measured is the log and not its input.
const messages = Array.from({ length: paths * addresses }, (_, at) =>
  requestBytes({
    key: 'one_of_many',
    path: `/v1/accounts/acc_10482/messages/${Math.floor(at / addresses)}?limit=50`,
    address: `203.0.113.${at % addresses}`,
  }),
);
const start = Date.now() - (Date.now() % 60_000);

let at = 0;

function round(withLog: boolean): number {
  const before = process.cpuUsage();
  let seen = 0;
  for (const end = at + records; at < end; at++) {
    const key = (at * 7_919) % keys;
    const request = read(messages[(key % addresses) + addresses * (Math.floor(at / keys) % paths)] as Buffer);
    if (request === null) throw new Error('no request');
    const { key: held } = decisions[key] as Allowed;
    // As the decision reads them anyway.
    seen += (request.address as string).length + held.id.length;
    if (withLog) log.record(decisions[key] as Allowed, request, start + 1);
  }
  const { user, system } = process.cpuUsage(before);
  if (seen === 0) throw new Error('no address');
  return (user + system) / records;
}

// Until every row is there that is asked for, and the code is compiled.
for (let warm = 0; warm < 2 * keys * paths + 400_000; warm += records) round(warm % (2 * records) === 0);
dropped = 0;
const costs: number[] = [];
for (let turn = 0; turn < rounds; turn++) {
  const without = round(false);
  costs.push(round(true) - without);
  if (turn % 100 === 99) await log.flush();
}
const sorted = costs.sort((one, other) => one - other);
const part = (share: number) => (sorted[Math.floor(sorted.length * share)] as number).toFixed(3);
console.log(
  `${keys} keys, ${paths} paths each: ${part(0.5)} µs of processor time a Check (the middle half ${part(0.25)} to ` +
    `${part(0.75)}), ${Math.round((100 * dropped) / (rounds * records))} % left out`,
);
