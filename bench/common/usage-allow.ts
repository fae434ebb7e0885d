import type { Decision } from '../../src/check/authorize.ts';
import type { CheckedKey } from '../../src/keys/key.ts';
import { readPresets } from '../../src/presets/read.ts';

/** What a Check decides of a key that it allows. */
export function createAllow(): (key: CheckedKey) => Decision {
  const scheme = readPresets().get('postern');
  if (scheme === undefined) throw new Error('there is no scheme');
  const withheld = { headers: ['authorization'], changed: [], parameters: [] };
  return (key) => ({
    verdict: 'allow',
    owner: null,
    key,
    scheme,
    permissions: key.permissions,
    withheld,
    plan: key.plan,
    rate: null,
  });
}
