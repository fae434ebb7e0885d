import { readFileSync } from 'node:fs';
import { type Config, ConfigError, type ConfigProblem, readConfig, type SecretSettings } from '../config.ts';
import { readPresets } from '../presets/read.ts';
import { type ConfigFile, ConfigFileError, readConfigFile } from './config-file.ts';

/** What the command line says of the settings. */
export interface SettingFlags {
  /** The settings file. */
  readonly config?: string | undefined;
  /** Single settings by their path in the file: `check.listen` → its value. */
  readonly set: Readonly<Record<string, string>>;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The settings are wrong; each line says where, what, and what was expected. */
export class SettingsError extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.name = 'SettingsError';
    this.lines = lines;
  }
}

/** Environment variable → path in the file. Each has a `_FILE` form, since a store's address may hold a password. */
const variables: Readonly<Record<string, string>> = {
  POSTERN_CHECK_LISTEN: 'check.listen',
  POSTERN_ADMIN_LISTEN: 'admin.listen',
  POSTERN_HTTP_LISTEN: 'http.listen',
  POSTERN_STORE: 'store',
  POSTERN_ENVIRONMENT: 'environment',
  POSTERN_LOG_LEVEL: 'log.level',
  POSTERN_REPLICA_ID: 'replica_id',
};

/** Those that are no part of the tree: the file, what is secret, and what the other commands read. */
const otherVariables = [
  'POSTERN_CONFIG',
  'POSTERN_ADMIN_KEY',
  'POSTERN_PEPPERS',
  'POSTERN_CHECKSUM_KEYS',
  'POSTERN_ADDRESS',
];

/** What Kubernetes puts into every container beside a service named postern, and what tests read. */
const foreignVariable =
  /^POSTERN(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[A-Z0-9_]+)?)$|^POSTERN_TEST_/;

/** Flags over environment over file over defaults. Throws {@link SettingsError}. */
export function readSettings(flags: SettingFlags, environment: Environment): Config {
  const read = (name: string) => variable(environment, name);
  refuseUnknown(environment);
  const path = flags.config ?? read('POSTERN_CONFIG')?.text;
  const file = path === undefined ? null : readFile(path);
  const tree = structuredClone(file?.tree ?? {});
  const origins = new Map<string, string>();
  for (const [name, setting] of Object.entries(variables)) {
    const value = read(name);
    if (value !== undefined) put(tree, setting, value.text, origins, value.name);
  }
  for (const [setting, text] of Object.entries(flags.set)) {
    put(tree, setting, text, origins, `--${setting.replaceAll(/[._]/g, '-')}`);
  }
  const secrets: SecretSettings = {
    ...optional('adminKey', read('POSTERN_ADMIN_KEY')?.text),
    ...optional('peppers', read('POSTERN_PEPPERS')?.text),
    ...optional('checksumKeys', read('POSTERN_CHECKSUM_KEYS')?.text),
  };
  try {
    return readConfig(tree, secrets, readPresets());
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new SettingsError(error.problems.map((problem) => describe(problem, origins, file)));
  }
}

function readFile(path: string): ConfigFile {
  try {
    return readConfigFile(path);
  } catch (error) {
    if (error instanceof ConfigFileError) throw new SettingsError([error.message]);
    throw error;
  }
}

/** A variable or the file that its `_FILE` form names; an empty one counts as not set. */
function variable(environment: Environment, name: string): { text: string; name: string } | undefined {
  const text = environment[name];
  const path = environment[`${name}_FILE`];
  if (text && path) throw new SettingsError([`${name} and ${name}_FILE are both set; set one of them`]);
  if (text) return { text, name };
  if (!path) return undefined;
  try {
    return { text: readFileSync(path, 'utf8').trim(), name: `${name}_FILE` };
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new SettingsError([`${name}_FILE: ${path} can not be read: ${why}`]);
  }
}

function refuseUnknown(environment: Environment): void {
  const known = [...Object.keys(variables), ...otherVariables];
  const lines = Object.keys(environment)
    .filter((name) => name.startsWith('POSTERN_') && !foreignVariable.test(name))
    .filter((name) => !known.includes(name.replace(/_FILE$/, '')))
    .map((name) => `${name}: there is no such setting${suggestion(name, known)}`);
  if (lines.length > 0) throw new SettingsError(lines);
}

function put(
  tree: unknown,
  setting: string,
  text: string,
  origins: Map<string, string>,
  origin: string,
): void {
  const parts = setting.split('.');
  const last = parts.pop() ?? '';
  let place = tree as Record<string, unknown>;
  for (const part of parts) {
    const next = place[part];
    if (typeof next !== 'object' || next === null) place[part] = {};
    place = place[part] as Record<string, unknown>;
  }
  place[last] = text;
  origins.set(setting, origin);
}

function describe(
  { path, message, known }: ConfigProblem,
  origins: Map<string, string>,
  file: ConfigFile | null,
): string {
  const setting = path.join('.');
  const origin = origins.get(setting) ?? (file === null ? null : file.locate(path));
  const hint = known === undefined ? '' : suggestion(String(path.at(-1) ?? ''), known);
  const secret = setting.startsWith('POSTERN_');
  return origin === null || secret
    ? `${setting}: ${message}${hint}`
    : `${origin}: ${setting}: ${message}${hint}`;
}

function suggestion(wrong: string, known: readonly string[]): string {
  const near = known.map((name) => ({ name, distance: editDistance(wrong, name) }));
  const [nearest] = near.toSorted((one, other) => one.distance - other.distance);
  if (nearest === undefined) return '';
  if (nearest.distance <= Math.max(2, wrong.length / 3)) return `; did you mean ${nearest.name}?`;
  return `; there are: ${known.join(', ')}`;
}

/** Levenshtein's distance. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let at = 1; at <= one.length; at++) {
    const next = [at];
    for (let to = 1; to <= other.length; to++) {
      const swap = (row[to - 1] ?? 0) + (one[at - 1] === other[to - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[to] ?? 0) + 1, (next[to - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}

function optional<K extends string>(name: K, value: string | undefined): { [P in K]?: string } {
  return (value === undefined ? {} : { [name]: value }) as { [P in K]?: string };
}
