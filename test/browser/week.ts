import type { TestConsole } from '../console/browser.ts';
import { until } from '../real/until.ts';
import { tally } from '../store-contract/use/usage.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** What the keys of a week are, for a test to ask after. */
export interface Week {
  readonly keys: number;
  /** The owner whose requests doubled yesterday. */
  readonly doubled: string;
  readonly endingSoon: number;
  /** A key that is used, and one of its requests is denied now and then. */
  readonly used: { readonly id: string; readonly name: string; readonly last4: string };
}

const uses = [
  'Production',
  'Staging',
  'CI',
  'Nightly export',
  'Mobile app',
  'Dashboard',
  'Billing',
  'Partner',
];
const owners = Array.from(
  { length: 20 },
  (_, at) => `${['acme', 'globex', 'initech', 'umbrella'][at % 4]}-${at}`,
);

/** 305 keys of 20 owners, or so many, of which some end soon, are disabled or revoked, and a week of use. */
export async function makeWeek({ call, create, service }: TestConsole, count = 305): Promise<Week> {
  const { clock, store } = service;
  const at = clock.now;
  for (const [place, owner] of owners.entries()) {
    await call('PUT', `/admin/owners/${owner}`, { plan: place % 3 === 0 ? 'pro' : null });
  }
  clock.now = at - 120 * dayMs;
  const keys: { id: string; name: string; owner: string; last4: string }[] = [];
  for (let made = 0; made < count; made += 1) {
    const owner = owners[made % owners.length] ?? '';
    const name = `${uses[made % uses.length]} ${1 + Math.floor(made / uses.length)}`;
    const days = made % 51 === 7 ? 121 + (made % 5) : null;
    const wanted = { name, owner, scheme: 'mavera', permissions: ['read:assets'] };
    const key = await create({ ...wanted, ...(days !== null && { expires_in: `${days * 24}h` }) });
    keys.push({ id: key.id, name, owner, last4: String(key.last4) });
  }
  clock.now = at;
  await call('PATCH', `/admin/owners/${owners.at(-1)}`, { suspended: true });
  for (const { id } of keys.filter((_, place) => place % 61 === 3))
    await call('DELETE', `/admin/api-keys/${id}`);
  for (const { id } of keys.filter((_, place) => place % 67 === 5))
    await call('POST', `/admin/api-keys/${id}/disable`);
  const busy = keys.filter((_, place) => place % 7 === 1);
  const tallies = busy.flatMap(({ id, owner }, place) =>
    talliesOf(id, { place, at, isDoubled: owner === 'globex-1' }),
  );
  await store.recordUsage(tallies);
  const total = tallies.reduce((sum, { allowed }) => sum + allowed, 0);
  await until('the week is counted', async () => {
    const { json } = await call('GET', '/admin/usage?interval=all');
    return json.data[0]?.allowed >= total ? true : undefined;
  });
  const used = busy[0];
  if (used === undefined) throw new Error('no key is used');
  const endingSoon = keys.filter((_, place) => place % 51 === 7).length;
  return { keys: keys.length, doubled: 'globex-1', endingSoon, used };
}

/** Every hour of eight days, more by day than by night. */
function talliesOf(
  id: string,
  { place, at, isDoubled }: { readonly place: number; readonly at: number; readonly isDoubled: boolean },
) {
  const yesterday = Math.floor(at / dayMs) * dayMs - dayMs;
  const first = Math.floor(at / hourMs) * hourMs;
  return Array.from({ length: 8 * 24 }, (_, step) => {
    const hour = first - step * hourMs;
    const isYesterday = hour >= yesterday && hour < yesterday + dayMs;
    const byHour = 30 + 20 * Math.round(2 + 2 * Math.sin((new Date(hour).getUTCHours() / 24) * 2 * Math.PI));
    const allowed = (byHour + (place % 7) * 5) * (isDoubled && isYesterday ? 3 : 1);
    const denied =
      place % 6 === 0 ? { rate_limited: 3 + (step % 4), permission_denied: 1, expired: step % 2 } : {};
    return tally(
      { id: id as Parameters<typeof tally>[0]['id'] },
      {
        ...{ hour, allowed, denied, lastUsedAt: hour + 60_000, addresses: [`203.0.113.${place}`] },
      },
    );
  });
}
