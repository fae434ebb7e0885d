// What the log of requests adds to a Check: node bench/request-log.ts [keys] [paths of each]
import type { Allowed } from '../src/check/authorize.ts';
import { createCheckReader } from '../src/grpc/check/check-request.ts';
import type { KeyId } from '../src/keys/key.ts';
import { readPresets } from '../src/presets/read.ts';
import type { Scheme } from '../src/schemes/scheme.ts';
import { createRequestLog } from '../src/usage/requests/request-log.ts';
import { requestBytes } from './decision-request.ts';

const [keys = 1_000, paths = 5] = process.argv.slice(2).map(Number);
const [rounds, records] = [9, 200_000];
const scheme = readPresets().get('postern') as Scheme;
const log = createRequestLog(
  { send: async () => {}, schemes: () => [scheme], onError() {}, onDropped() {} },
  { flushMs: 5_000 },
);
const read = createCheckReader();
const decisions = Array.from({ length: keys }, (_, at): Allowed => {
  const id = `key_01k0c6h3v8${(at * 2_654_435_761).toString(36).padStart(16, '0')}` as KeyId;
  const bounds = {
    permissions: [],
    principals: [],
    roles: [],
    ipAllowlist: [],
    rateLimits: [],
    labels: {},
    version: 1,
  };
  const times = { expiresAt: null, disabledAt: null, revokedAt: null };
  const key = { id, name: 'a', scheme: 'postern', environment: 'live', owner: 'acme', plan: null };
  const withheld = { headers: [], changed: [], parameters: [] };
  return {
    ...{ verdict: 'allow', key: { ...key, ...bounds, ...times, spender: id }, scheme, owner: null },
    ...{ permissions: [], withheld, plan: null, rate: null },
  };
});
const messages = Array.from({ length: keys * paths }, (_, at) =>
  requestBytes({
    key: 'one_of_many',
    path: `/v1/accounts/acc_10482/messages/${at % paths}?limit=50`,
    address: `203.0.113.${at % 200}`,
  }),
);
const start = Date.now() - (Date.now() % 60_000);

function round(withLog: boolean): number {
  const before = process.cpuUsage();
  let seen = 0;
  for (let at = 0; at < records; at++) {
    const place = (at * 7_919) % messages.length;
    const request = read(messages[place] as Buffer);
    if (request === null) throw new Error('no request');
    // As the decision reads it anyway.
    seen += (request.address as string).length;
    if (withLog) log.record(decisions[place % keys] as Allowed, request, start + 1);
  }
  const { user, system } = process.cpuUsage(before);
  if (seen === 0) throw new Error('no address');
  return (user + system) / records;
}

const costs: number[] = [];
for (let at = 0; at < rounds; at++) {
  const without = round(false);
  costs.push(round(true) - without);
  await log.flush();
}
const sorted = costs.slice(1).sort((one, other) => one - other);
console.log(
  `${keys} keys, ${paths} paths each: ${(sorted[Math.floor(sorted.length / 2)] as number).toFixed(3)} µs of processor time a Check ` +
    `(${(sorted[0] as number).toFixed(3)} to ${(sorted.at(-1) as number).toFixed(3)})`,
);
