import { presentedKeys } from '../common/keys.ts';
import { type Requests, requestsOf } from './request.ts';
import { type Bounds, measure, spread, table } from './rounds.ts';
import { createSetting, type Setting } from './setting.ts';

interface Case {
  readonly name: string;
  readonly requests: (setting: Setting) => Requests;
}

/** Of ten keys in a row: seven are good for everything. */
const revoked = 7;
const noPermission = 8;
const narrow = 9;

const hit = (given: Parameters<typeof requestsOf>[1] = {}) => ({
  requests: ({ secrets }: Setting) => requestsOf(nth(secrets, [0, 1, 2, 3, 4, 5, 6]), given),
});

const cases: readonly Case[] = [
  { name: 'hit', ...hit() },
  { name: 'hit, encode_raw_headers', ...hit({ raw: true }) },
  { name: 'hit, forged x-postern-*', ...hit({ headers: { 'x-postern-owner': 'me', 'x-postern-a': 'b' } }) },
  { name: 'hit, any of six schemes', ...hit({ context: { permissions: 'write:messages' } }) },
  { name: 'hit, 40 headers', ...hit({ headers: otherHeaders(27) }) },
  { name: 'hit, allowlist of 10', requests: ({ secrets }) => requestsOf(nth(secrets, [narrow]), {}) },
  { name: 'revoked', requests: ({ secrets }) => requestsOf(nth(secrets, [revoked]), {}) },
  { name: 'permission_denied', requests: ({ secrets }) => requestsOf(nth(secrets, [noPermission]), {}) },
  {
    name: 'rate_limited',
    requests: ({ secrets }) =>
      requestsOf(nth(secrets, [0]), {
        context: { scheme: 'postern', permissions: 'write:messages', cost: '999999999' },
      }),
  },
  {
    name: 'malformed',
    requests: ({ secrets }) =>
      requestsOf(presentedKeys('malformed', { count: secrets.length, seed: 1, once: false }), {}),
  },
  {
    name: 'missing',
    requests: ({ secrets }) => requestsOf(secrets, { context: { scheme: 'powerverse' } }),
  },
  {
    name: 'unknown, remembered',
    requests: () => requestsOf(presentedKeys('miss', { count: 10_000, seed: 1, once: false }), {}),
  },
];

export async function measureCases(
  bounds: Bounds & { readonly keys: number },
  filter: string,
): Promise<void> {
  const setting = await createSetting({
    keys: bounds.keys,
    record: (index) => {
      if (index % 10 === revoked) return { revokedAt: 1 };
      if (index % 10 === noPermission) return { permissions: ['read:messages'] };
      if (index % 10 !== narrow) return {};
      return { ipAllowlist: [...Array.from({ length: 9 }, (_, at) => `10.${at}.0.0/16`), '203.0.113.0/24'] };
    },
  });
  await leaseUnits(setting);
  const rows = [['', 'µs CPU', 'bytes', 'GC %', 'µs SHA-256']];
  for (const { name, requests } of cases) {
    if (!name.includes(filter)) continue;
    const { micros, bytes, gcShare, digestMicros } = await measure(setting, requests(setting), bounds);
    const percent = gcShare.map((share) => 100 * share);
    rows.push([name, spread(micros, 2), spread(bytes, 0), spread(percent, 1), spread(digestMicros, 2)]);
  }
  console.log(`One Check from bytes to bytes, ${bounds.keys} keys in memory\n${table(rows)}\n`);
}

/** So many units that none has to be leased while it is measured. */
async function leaseUnits({ secrets, answer, flush }: Setting): Promise<void> {
  const context = { scheme: 'postern', permissions: 'write:messages', cost: '1000' };
  for (let time = 0; time < 3; time++) {
    const requests = requestsOf(secrets, { context });
    for (let at = 0; at < requests.count; at++) await answer(requests.at(at));
  }
  await flush();
}

function nth(secrets: readonly string[], places: readonly number[]): string[] {
  return secrets.filter((_, index) => places.includes(index % 10));
}

function otherHeaders(count: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`x-other-header-${at}`, `value ${at}`]),
  );
}
