import { randomUUID } from 'node:crypto';
import type { Envoy } from '../../real/envoy.ts';
import type { Postern } from '../../real/postern.ts';
import type { Route } from '../routes.ts';
import { admin, makeKey, send } from '../stack.ts';
import { type Facts, keyText, presented, type Reason, type Vendor, vendors } from './vendor-cases.ts';

/** A request that fails for one reason, and what its answer may repeat. */
export interface Failing {
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly path: string;
  readonly facts: Facts;
}

type Bring = (stack: Front, vendor: Vendor) => Promise<Partial<Failing>>;

interface Front {
  readonly postern: Pick<Postern, 'url'>;
  readonly envoy: Pick<Envoy, 'url'>;
}

/** So long that no test meets the end of one. */
export const longWindow = '3650d';
const longWindowSeconds = 3_650 * 86_400;

/** When the {@link longWindow} that it is now ends, Unix seconds. */
export function longWindowEnd(): number {
  return Math.ceil(Date.now() / 1_000 / longWindowSeconds) * longWindowSeconds;
}

/** What the vendor's routes with `write/` behind them ask for. */
const required = ['write:schedules', 'read:assets'];

/** Three routes for each vendor, as Envoy's `context_extensions`. */
export const vendorRoutes: readonly Route[] = vendors.flatMap(({ scheme }) => [
  { prefix: `/v/${scheme}/write/`, context: { scheme, permissions: required.join(',') } },
  { prefix: `/v/${scheme}/test-env/`, context: { scheme, environment: 'test' } },
  { prefix: `/v/${scheme}/`, context: { scheme } },
]);

/** The same three as rules of the settings file. */
export const vendorRules = JSON.stringify({
  rules: vendors.flatMap(({ scheme }) => [
    { match: { path: `/v/${scheme}/write/*` }, scheme, permissions: required },
    { match: { path: `/v/${scheme}/test-env/*` }, scheme, environment: 'test' },
    { match: { path: `/v/${scheme}/*` }, scheme },
  ]),
});

/** Brings a failure of the vendor's about, as its user would meet it. */
export async function bringAbout(stack: Front, vendor: Vendor, reason: Reason): Promise<Failing> {
  const failing = await ways[reason](stack, vendor);
  return { headers: [], path: `/v/${vendor.scheme}/`, facts: {}, ...failing };
}

const ways: Readonly<Record<Reason, Bring>> = {
  missing: async () => ({}),
  async ambiguous({ postern }, vendor) {
    const { key } = await makeKey(postern, { scheme: vendor.scheme });
    return { headers: [presented(vendor, key), presented(vendor, key)] };
  },
  malformed: async (_, vendor) => ({
    headers: [presented(vendor, keyText(vendor, 'live', vendor.accepted.min - 1))],
  }),
  unknown: async (_, vendor) => ({ headers: [presented(vendor, keyText(vendor))] }),
  async wrong_environment({ postern }, vendor) {
    const hasTestKeys = Object.values(vendor.prefixes).includes('test');
    const environment = hasTestKeys ? 'test' : 'live';
    const { key } = await makeKey(postern, { scheme: vendor.scheme, environment });
    const path = hasTestKeys ? `/v/${vendor.scheme}/` : `/v/${vendor.scheme}/test-env/`;
    return { headers: [presented(vendor, key)], path };
  },
  async revoked({ postern }, vendor) {
    const { id, key } = await makeKey(postern, { scheme: vendor.scheme });
    await admin(postern, 'DELETE', `/admin/api-keys/${id}`);
    return { headers: [presented(vendor, key)] };
  },
  async disabled({ postern }, vendor) {
    const { id, key } = await makeKey(postern, { scheme: vendor.scheme });
    await admin(postern, 'POST', `/admin/api-keys/${id}/disable`);
    return { headers: [presented(vendor, key)] };
  },
  async expired({ postern }, vendor) {
    const made = await makeKey(postern, { scheme: vendor.scheme, expires_in: '1ms' });
    return { headers: [presented(vendor, made.key)], facts: { expired_at: String(made.expires_at) } };
  },
  async owner_inactive({ postern }, vendor) {
    const owner = `owner-${randomUUID()}`;
    const { key } = await makeKey(postern, { scheme: vendor.scheme, owner });
    await admin(postern, 'PUT', `/admin/owners/${owner}`, { active_until: '2020-01-31T00:00:00Z' });
    return { headers: [presented(vendor, key)] };
  },
  async address_denied({ postern }, vendor) {
    const allowed_ips = ['10.0.0.0/8', '198.51.100.50'];
    const { key } = await makeKey(postern, { scheme: vendor.scheme, ip_allowlist: allowed_ips });
    return { headers: [presented(vendor, key)], facts: { client_ip: '127.0.0.1', allowed_ips } };
  },
  async permission_denied({ postern }, vendor) {
    const { key } = await makeKey(postern, { scheme: vendor.scheme, permissions: required.slice(1) });
    return { headers: [presented(vendor, key)], path: `/v/${vendor.scheme}/write/`, facts: { required } };
  },
  async rate_limited({ postern, envoy }, vendor) {
    const rate_limit = { limit: 1, window: longWindow };
    const { key } = await makeKey(postern, { scheme: vendor.scheme, rate_limit });
    const { status } = await send(envoy.url, `/v/${vendor.scheme}/`, [presented(vendor, key)]);
    if (status !== 200) throw new Error(`the first request was answered with ${status}`);
    return { headers: [presented(vendor, key)] };
  },
  // Of a Postern whose store is away.
  unavailable: async (_, vendor) => ({ headers: [presented(vendor, keyText(vendor))] }),
};
