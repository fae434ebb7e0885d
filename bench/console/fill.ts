import { createKeyIds, type KeyId, type KeyRecord } from '../../src/keys/key.ts';
import { createDigester, mask } from '../../src/keys/secret.ts';
import { insertsMax, type Store } from '../../src/store/store.ts';
import type { UsageTally } from '../../src/store/usage/usage-tally.ts';
import { benchKeys } from '../common/keys.ts';
import { recordTemplate } from '../common/seed.ts';

/** What a store is filled with. */
export interface Filling {
  readonly keys: number;
  readonly owners: number;
  /** Entries of the journal. */
  readonly events: number;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const retentionMs = 30 * dayMs;
const ageDays = 120;
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
const plans = ['free', 'pro', null];

/** Keys of owners as a service of some months has them, with a week of use and what was done. Answers their ids. */
export async function fill(store: Store, { keys, owners, events }: Filling, now: number): Promise<KeyId[]> {
  const ids = await fillKeys(store, { keys, owners, now });
  for (let at = 0; at < owners; at += 100) {
    const some = Array.from({ length: Math.min(100, owners - at) }, (_, place) => at + place);
    await Promise.all(some.map((place) => store.putOwner(ownerAt(place, now), 0)));
  }
  await fillJournal(store, ids, { owners, events });
  for (let day = 7; day >= 1; day--) {
    await recordHour(store, ids, {
      owners,
      hour: startOfHour(now) - day * dayMs + ((day * 5) % 20) * hourMs,
    });
  }
  return ids;
}

/** Every key is used in that hour. */
export async function recordHour(
  store: Pick<Store, 'recordUsage'>,
  ids: readonly KeyId[],
  { owners, hour }: { readonly owners: number; readonly hour: number },
): Promise<void> {
  for (let at = 0; at < ids.length; at += insertsMax) {
    const some = ids.slice(at, at + insertsMax);
    await store.recordUsage(some.map((key, place) => tallyAt(key, at + place, { owners, hour })));
  }
}

async function fillKeys(
  store: Store,
  { keys, owners, now }: { readonly keys: number; readonly owners: number; readonly now: number },
): Promise<KeyId[]> {
  const digester = createDigester([]);
  const ids: KeyId[] = [];
  let createdAt = now;
  const nextId = createKeyIds(() => createdAt);
  const secrets = benchKeys(keys, 22);
  for (let at = 0; at < keys; at += insertsMax) {
    const records = secrets.slice(at, at + insertsMax).map((secret, place): KeyRecord => {
      const made = at + place;
      createdAt = now - ageDays * dayMs + Math.floor((made / keys) * ageDays * dayMs);
      const id = nextId();
      ids.push(id);
      const { prefix, last4 } = mask(secret, 'pst_live_');
      return {
        ...{ ...recordTemplate, id, spender: id, digest: digester.sign(secret), prefix, last4 },
        ...{ name: `${uses[made % uses.length]} ${made}`, owner: ownerId(made % owners) },
        ...{ createdAt, updatedAt: createdAt, labels: { team: `team-${made % 50}` } },
        expiresAt: made % 40 === 0 ? now + ((made % 90) + 1) * dayMs : null,
        disabledAt: made % 97 === 0 ? now - dayMs : null,
        revokedAt: made % 31 === 0 ? now - dayMs : null,
      };
    });
    await store.insertKeys(records, retentionMs * 12);
  }
  return ids;
}

async function fillJournal(
  store: Pick<Store, 'appendJournal'>,
  ids: readonly KeyId[],
  { owners, events }: Pick<Filling, 'owners' | 'events'>,
): Promise<void> {
  const actions = ['CreateKey', 'UpdateKey', 'DisableKey', 'EnableKey', 'RotateKey'];
  for (let at = 0; at < events; at += insertsMax) {
    const drafts = Array.from({ length: Math.min(insertsMax, events - at) }, (_, place) => {
      const event = at + place;
      const key = (event * 7) % ids.length;
      return {
        ...{ kind: 'call' as const, actor: ids[event % 20] ?? null, actorName: `Ops ${event % 20}` },
        ...{ action: actions[event % actions.length] as string, target: ids[key] as string },
        ...{ targetName: `${uses[key % uses.length]} ${key}`, owner: ownerId(key % owners), error: null },
        ...{ outcome: 'ok' as const, address: '192.0.2.1', requestId: null, once: null },
        ...{
          before: { name: 'before', permissions: ['read'] },
          after: { name: 'after', permissions: ['read'] },
        },
      };
    });
    await store.appendJournal(drafts);
  }
}

function ownerAt(place: number, now: number) {
  return {
    ...{
      id: ownerId(place),
      plan: plans[place % 3] ?? null,
      activeUntil: null,
      suspended: place % 200 === 7,
    },
    ...{ name: `Customer ${place}`, contact: null, labels: {}, billingAnchor: null, keysMax: null },
    ...{ createdAt: now, updatedAt: now, version: 1 },
  };
}

function ownerId(place: number): string {
  return `customer-${place}`;
}

function tallyAt(
  key: KeyId,
  at: number,
  { owners, hour }: { readonly owners: number; readonly hour: number },
): UsageTally {
  const owner = at % owners;
  return {
    ...{ key, hour, allowed: 1 + ((at * 31 + hour / hourMs) % 997), observed: {}, lastUsedAt: hour },
    ...{ denied: at % 20 === 0 ? { rate_limited: 3 } : {}, addresses: [`192.0.2.${at % 250}`] },
    about: { owner: ownerId(owner), plan: plans[owner % 3] ?? null, scheme: 'postern', environment: 'live' },
  };
}

function startOfHour(at: number): number {
  return at - (at % hourMs);
}
