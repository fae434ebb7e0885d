import { type Call, requireUnbound } from './call.ts';
import type { Digester } from './secret.ts';
import type { Store } from './store.ts';
import { version } from './version.ts';

/** How the service stands, as far as it can tell by itself. */
export interface Diagnostics {
  /** Of the package that answers. */
  readonly version: string;
  /** `sqlite` or `mongodb`. */
  readonly store: string;
  /** Those that are configured, in their order, then none, then those that only keys know of. */
  readonly peppers: readonly PepperUse[];
}

export interface PepperUse {
  /** Empty for none. */
  readonly id: string;
  /** Keys whose digest was made with it. */
  readonly keys: number;
  /** Whether those keys can be recognised. */
  readonly configured: boolean;
  /** Whether new keys, and those that are used, get their digest by it. */
  readonly signing: boolean;
}

export interface DiagnosticsOperations {
  /** PERMISSION_DENIED for an admin key that has an owner. */
  getDiagnostics(call: Call): Promise<Diagnostics>;
}

export function createDiagnosticsOperations({
  store,
  digester,
}: {
  readonly store: Pick<Store, 'kind' | 'countDigests'>;
  readonly digester: Digester;
}): DiagnosticsOperations {
  return {
    async getDiagnostics(call) {
      requireUnbound(call);
      const counts = await store.countDigests();
      return { version, store: store.kind, peppers: pepperUses(digester.pepperIds, counts) };
    },
  };
}

function pepperUses(configured: readonly string[], counts: ReadonlyMap<string, number>): PepperUse[] {
  // A digest under no pepper can always be recognised.
  const known = [...configured, ''];
  const others = [...counts.keys()].filter((id) => !known.includes(id)).toSorted();
  return [...known, ...others].map((id) => ({
    id,
    keys: counts.get(id) ?? 0,
    configured: known.includes(id),
    signing: id === known[0],
  }));
}
