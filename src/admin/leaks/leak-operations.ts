import type { Registry } from '../../changes/registry.ts';
import { Secret } from '../../keys/secret.ts';
import type { Settlement } from '../../store/store.ts';
import { reportLeakedKeysInput } from '../admin-input.ts';
import { type Call, visibleTo } from '../call.ts';
import { readInput } from '../read-input.ts';

/** Says nothing of whether anything that was reported was a key. */
export interface LeakAnswer extends Settlement {
  /** How many secrets were reported. */
  readonly received: number;
}

export interface LeakOperations {
  /** Revokes those that are keys which the caller may change. */
  reportLeakedKeys(call: Call, input: unknown): Promise<LeakAnswer>;
}

export function createLeakOperations({
  registry,
}: {
  readonly registry: Pick<Registry, 'revokeLeaked'>;
}): LeakOperations {
  return {
    async reportLeakedKeys(call, input) {
      const { keys } = readInput(reportLeakedKeysInput, input);
      const leaked = keys.map(({ key, url, source }) => ({ secret: new Secret(key), url, source }));
      const settlement = await registry.revokeLeaked(leaked, visibleTo(call), call.origin);
      return { received: keys.length, ...settlement };
    },
  };
}
