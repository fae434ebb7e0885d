import { isDeepStrictEqual } from 'node:util';
import { reloadableSettings, settingsSchema } from '../../settings/settings-schema.ts';
import type { Environment } from './config-environment.ts';
import type { SettingFiles } from './setting-files.ts';

/** Settings that were found right, by what they were read from. */
export interface HeldSettings {
  readonly tree: unknown;
  readonly files: SettingFiles;
}

/** What a reload takes over: beside the settings that say so themselves, this secret. */
const reloaded = [...reloadableSettings.map(({ name }) => name), 'POSTERN_CHECKSUM_KEYS'];
/** Those of which there may be thousands, compared as they were read. */
const lists = reloadableSettings.filter(({ isList }) => isList).map(({ name }) => name);
const secrets = [
  'POSTERN_ADMIN_KEY',
  'POSTERN_PEPPERS',
  'POSTERN_CHECKSUM_KEYS',
  'POSTERN_CONSOLE_SESSION_SECRET',
  'POSTERN_OIDC_CLIENT_SECRET',
  'POSTERN_WEBHOOK_SECRET',
].map((name) => ({ name, variable: `${name}_FILE` }));

/** Setting → its value, defaults filled in: `check.listen`, and as one value what is deeper. */
export type SettingValues = ReadonlyMap<string, unknown>;

/** The names of the settings that are not the same: those a reload takes over, and the rest. */
export function changedSettings(
  one: SettingValues,
  other: SettingValues,
): { readonly taken: string[]; readonly left: string[] } {
  const names = [...new Set([...one.keys(), ...other.keys()])].toSorted();
  const changed = names.filter((name) => !isDeepStrictEqual(one.get(name), other.get(name)));
  return {
    taken: changed.filter((name) => reloaded.includes(name)),
    left: changed.filter((name) => !reloaded.includes(name)),
  };
}

export function settingValues({ tree, files }: HeldSettings, environment: Environment): SettingValues {
  const members = Object.entries(tree as object);
  const few = Object.fromEntries(members.filter(([name]) => !lists.includes(name)));
  const found = Object.entries(settingsSchema.parse(few)).flatMap(([name, value]) =>
    isSection(name, value)
      ? Object.entries(value).map(([member, inner]) => [`${name}.${member}`, inner] as const)
      : [[name, value] as const],
  );
  const ofLists = members.filter(([name]) => lists.includes(name));
  const ofSecrets = secrets.flatMap(({ name, variable }) => {
    const path = environment[variable];
    const text = path ? files.found.get(path) : undefined;
    return typeof text === 'string' ? [[name, text.trim()] as const] : [];
  });
  return new Map<string, unknown>([
    ...found.filter(([name]) => !lists.includes(name)),
    ...ofLists,
    ...ofSecrets,
  ]);
}

function isSection(name: string, value: unknown): value is object {
  return name !== 'store' && typeof value === 'object' && value !== null && !Array.isArray(value);
}
