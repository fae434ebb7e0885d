import { type PresetName, readPresets } from '../../src/presets/read.ts';
import { mintSecret } from '../../src/schemes/scheme.ts';

/** A well-formed key of a preset, postern's unless named, that no store has. */
export function unknownKey(schemeName: PresetName = 'postern'): string {
  const scheme = readPresets().get(schemeName);
  const minted = scheme && mintSecret(scheme, 'live');
  if (!minted) throw new Error(`${schemeName} has no live keys`);
  return minted.secret.reveal();
}
