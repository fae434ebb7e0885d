import { createKeyring } from '../../src/cache/keyring.ts';
import { createAuthorize } from '../../src/check/authorize.ts';
import { createRules, type Rule } from '../../src/check/rules.ts';
import { createAnswer } from '../../src/grpc/check/check-server.ts';
import { createKeyIds, type KeyRecord } from '../../src/keys/key.ts';
import { limitsOfShort } from '../../src/keys/limit.ts';
import type { RoleRecord } from '../../src/keys/role.ts';
import { createDigester, mask, type Pepper } from '../../src/keys/secret.ts';
import { createLimiter } from '../../src/limits/limiter.ts';
import { createPlans } from '../../src/limits/plan.ts';
import { readPresets } from '../../src/presets/read.ts';
import type { Scheme } from '../../src/schemes/scheme.ts';
import type { UnitLease, UnitLeaseRequest } from '../../src/store/units.ts';
import { createCheckTelemetry } from '../../src/telemetry/check-telemetry.ts';
import { createLogger, logDenial } from '../../src/telemetry/log.ts';
import { traceLookups } from '../../src/telemetry/tracing-check.ts';
import type { Tracing } from '../../src/tracing/tracing.ts';
import { createUsage } from '../../src/usage/usage.ts';
import { benchKeys } from '../common/keys.ts';

export interface SettingGiven {
  readonly keys: number;
  /** The keys themselves, where they are made already. */
  readonly secrets?: readonly string[];
  /** What a key has beside or in place of what all have. */
  readonly record?: (index: number) => Partial<KeyRecord>;
  /** Roles that keys have; by default there is none. */
  readonly role?: (id: string) => RoleRecord;
  readonly rules?: readonly Rule[];
  /** Beside the presets. */
  readonly schemes?: readonly Scheme[];
  readonly peppers?: readonly Pepper[];
  readonly tracing?: Tracing;
}

/** One Check from bytes to bytes, wired as `serve` wires it, over a store that gives whatever it is asked for. */
export interface Setting {
  readonly secrets: readonly string[];
  readonly answer: ReturnType<typeof createAnswer>;
  /** Writes what was gathered of the use of keys, as happens every few seconds. */
  flush(): Promise<void>;
  readonly keyring: ReturnType<typeof createKeyring>;
}

const dayMs = 86_400_000;

/** Loads every key into memory by the keyring's own `load`. */
export async function createSetting(given: SettingGiven): Promise<Setting> {
  const secrets = given.secrets ?? benchKeys(given.keys, 1);
  const digester = createDigester(given.peppers ?? []);
  const nextId = createKeyIds(() => Date.now());
  const telemetry = createCheckTelemetry();
  const log = createLogger('info', { write() {} });
  const store = {
    asked: 0,
    findKey: async () => freshRecord(secrets, store.asked, { digester, nextId, given }),
    getRole: async (id: string) => given.role?.(id) ?? null,
    getOwner: async () => null,
    leaseUnits: async ({ units }: UnitLeaseRequest): Promise<UnitLease> => ({
      granted: units,
      leased: units,
    }),
    returnUnits: async () => {},
    recordUsage: async () => {},
  };
  const bare = createKeyring(
    { store, feed: { subscribe() {}, isFresh: () => true }, missBudget: { read: (_, find) => find() } },
    { keysMax: 2_000_000, missesMax: 200_000, ownersMax: 200_000, readsMax: 1_000 },
  );
  const { tracing = null } = given;
  const counted = telemetry.countLookups(bare);
  const keyring = tracing === null ? counted : traceLookups(counted, tracing);
  const schemes = [...readPresets().values(), ...(given.schemes ?? [])] as [Scheme, ...Scheme[]];
  const now = () => Date.now();
  const usage = createUsage(
    { store, onError() {}, onDropped() {} },
    { flushMs: 5_000, talliesMax: 200_000, heldMax: 2_000_000 },
  );
  const limiter = createLimiter(store, { spendersMax: 2_000_000, allowWhenUnavailable: true });
  const judging = { keyring, digester, schemes, environment: 'live', now, plans: createPlans(new Map()) };
  const findRule = createRules(given.rules ?? []);
  const answer = createAnswer({
    authorize: createAuthorize({ ...judging, findRule, ...limiter }),
    fallbackScheme: () => schemes[0],
    onDecision(decision, request, durationMs) {
      telemetry.observeDecision(decision, durationMs);
      usage.record(decision, request?.address ?? '', now());
      if (decision.verdict === 'deny') logDenial(log, decision, request);
    },
    onBroken(error) {
      throw error;
    },
    unavailableAs: 'error_response',
    tracing,
  });
  for (const [index, secret] of secrets.entries()) {
    store.asked = index;
    const digest = digester.sign(secret);
    const record = await keyring.load(digest, [digest], '');
    if (record?.owner != null && keyring.peekOwner(record.owner) === undefined)
      await keyring.loadOwner(record.owner);
  }
  // From now on nobody is found: what is asked for then is remembered as unknown.
  store.findKey = async () => null as never;
  return { secrets, answer, flush: () => usage.flush(), keyring };
}

/** A record with nothing shared with another one, as a store's driver reads it. */
function freshRecord(
  secrets: readonly string[],
  index: number,
  made: {
    readonly digester: ReturnType<typeof createDigester>;
    readonly nextId: ReturnType<typeof createKeyIds>;
    readonly given: SettingGiven;
  },
): KeyRecord {
  const secret = secrets[index] ?? '';
  const id = made.nextId();
  const record: KeyRecord = {
    ...{ id, digest: made.digester.sign(secret), name: `bench ${index}`, ...mask(secret, 'pst_live_') },
    ...{ scheme: 'postern', environment: 'live', owner: `acme-${index % 1_000}` },
    ...{
      permissions: ['read:messages', 'write:messages'],
      roles: [],
      ipAllowlist: [],
      principals: [],
      plan: 'pro',
    },
    ...{ rateLimits: limitsOfShort({ limit: 1_000_000_000, windowMs: dayMs }), labels: { team: 'search' } },
    ...{ createdAt: Date.now(), updatedAt: Date.now(), lastUsedAt: Date.now() },
    ...{ expiresAt: Date.now() + 365 * dayMs, disabledAt: null, revokedAt: null },
    ...{ rotatedFrom: null, rotatedTo: null, spender: id, requestKey: null, version: 1 },
    ...{ externalId: null, createdBy: null, importId: null, revivedAt: null },
    ...made.given.record?.(index),
  };
  return JSON.parse(JSON.stringify(record));
}
