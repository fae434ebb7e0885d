import type { NewKey } from '../../changes/minting.ts';
import type { Registry } from '../../changes/registry.ts';
import type { Origin } from '../../journal/journal.ts';
import { adminRead, adminWrite } from '../../keys/admin-permissions.ts';
import type { Secret } from '../../keys/secret.ts';
import type { Config } from '../../settings/config.ts';
import { type Store, StoreUnavailable } from '../../store/store.ts';
import type { Logger } from '../../telemetry/log.ts';
import { storeName } from './store.ts';

const retryMs = { first: 250, most: 5_000 };

export interface OpenStoreDependencies {
  readonly store: Pick<Store, 'open'>;
  readonly registry: Pick<Registry, 'createFirst'>;
  readonly config: Config;
  readonly log: Logger;
  /** Resolves when it is no longer worth trying. */
  readonly stopped: Promise<void>;
  /** Called once: when the store is there, or has not been for a while, and before anything is written. */
  readonly onTried: () => Promise<void>;
}

/** How long Checks are refused a connection at the most, so that Envoy asks another replica meanwhile. */
const firstTryMsMax = 3_000;

/**
 * Tries until the store is there, and makes the first admin key of a new one, where the settings have none.
 * Resolves to that key's secret, or to null where there is none to show.
 */
export async function openStore(dependencies: OpenStoreDependencies): Promise<Secret | null | 'stopped'> {
  const { store, registry, config, log, stopped, onTried } = dependencies;
  const first = firstAdminKey(config);
  let isTried = false;
  for (let waitMs = retryMs.first; ; waitMs = Math.min(waitMs * 2, retryMs.most)) {
    try {
      const opening = store.open();
      if (!isTried) {
        isTried = true;
        const failed = await settledWithin(opening, firstTryMsMax, stopped);
        if (failed !== null && !(failed instanceof StoreUnavailable)) throw failed;
        await onTried();
      }
      await opening;
      if (config.adminKey !== null) return null;
      return (await registry.createFirst(first, firstStart))?.secret ?? null;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw cannotStart(error);
      const why = [error, error.cause]
        .flatMap((one) => (one instanceof Error ? [one.message] : []))
        .join(': ');
      log.warn({ why, retry_in_ms: waitMs }, `${storeName(config)} cannot be reached yet`);
    }
    const { promise: waited, resolve } = Promise.withResolvers<'waited'>();
    const timer = setTimeout(() => resolve('waited'), waitMs);
    if ((await Promise.race([waited, stopped.then(() => 'stopped' as const)])) === 'stopped') {
      clearTimeout(timer);
      return 'stopped';
    }
  }
}

/**
 * Resolves when the work has ended, however it did, when it takes too long, or when all is to stop; to what it rejected
 * with, else to null.
 */
async function settledWithin(
  work: Promise<unknown>,
  waitMs: number,
  stopped: Promise<void>,
): Promise<unknown> {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), waitMs);
  const ended = work.then(
    () => null,
    (error: unknown) => error,
  );
  const first = await Promise.race([ended, late, stopped.then(() => null)]);
  clearTimeout(timer);
  return first;
}

/** Nobody called: the service makes its first key by itself. */
const firstStart: Origin = { actor: null, action: 'CreateKey', address: null, requestId: null };

/** The store is there and will not do; what it says is for the operator. */
export class StoreUnusable extends Error {}

function cannotStart(error: unknown): unknown {
  return error instanceof Error ? new StoreUnusable(error.message, { cause: error }) : error;
}

function firstAdminKey(config: Config): NewKey {
  return {
    name: 'First admin key',
    scheme: config.adminScheme,
    environment: 'live',
    owner: null,
    permissions: [adminRead, adminWrite],
    roles: [],
    ipAllowlist: [],
    principals: [],
    plan: null,
    rateLimits: [],
    labels: {},
    externalId: null,
    expiresAt: null,
    requestKey: null,
    createdBy: null,
  };
}
