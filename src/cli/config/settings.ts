import { readFileSync } from 'node:fs';
import { defaultPresets, readPresets } from '../../presets/read.ts';
import { type Config, readConfig } from '../../settings/config.ts';
import { ConfigError, type ConfigProblem, type SettingPath } from '../../settings/config-problem.ts';
import { configWarnings } from '../../settings/config-warnings.ts';
import { type Environment, type FromEnvironment, readEnvironment } from './config-environment.ts';
import { type ConfigFile, ConfigFileError, readConfigFile } from './config-file.ts';
import { judgePattern } from './pattern/judge.ts';

export type { Environment } from './config-environment.ts';

/** What the command line says of the settings. */
export interface SettingFlags {
  /** The settings file. */
  readonly config?: string | undefined;
  /** Single settings by their path in the file: `check.listen` → its value. */
  readonly set: Readonly<Record<string, string>>;
}

/** The settings are wrong; each line says where, what, and what was expected. */
export class SettingsError extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.name = 'SettingsError';
    this.lines = lines;
  }
}

/** Settings from everywhere, with all that is to be said of them. */
export interface ExaminedSettings {
  /** The settings file, as it was named; null for none. */
  readonly file: string | null;
  /** What flags, environment and file say together. */
  readonly tree: unknown;
  /** What the environment keeps secret, which is no part of the tree. */
  readonly secrets: FromEnvironment['secrets'];
  /** Null when there are problems. */
  readonly config: Config | null;
  /** A line each: where, what, and what was expected. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  /** The variables of the secrets that are set. */
  readonly secretsSet: readonly string[];
  /** The flag, the variable, or `FILE:LINE` that a setting came from; null for a default. */
  originOf(path: SettingPath): string | null;
}

type ReadFile = (path: string) => string;
type JudgePattern = (pattern: string) => string | null;

const readFromDisk: ReadFile = (path) => readFileSync(path, 'utf8');

/** Flags over environment over file over defaults. Throws {@link SettingsError} with all that is wrong. */
export function readSettings(
  flags: SettingFlags,
  environment: Environment,
  judge: JudgePattern = judgePattern,
): ExaminedSettings & { readonly config: Config } {
  const { config, ...examined } = examineSettings(flags, environment, readFromDisk, judge);
  if (config === null) throw new SettingsError(examined.problems);
  return { ...examined, config };
}

/** The same, with whatever is wrong as a part of the answer. */
export function examineSettings(
  flags: SettingFlags,
  environment: Environment,
  readFile: ReadFile = readFromDisk,
  judge: JudgePattern = judgePattern,
): ExaminedSettings {
  const given = readEnvironment(environment, readFile);
  const fileName = flags.config ?? given.config ?? null;
  const { file, lines } = fileName === null ? { file: null, lines: [] } : tryFile(fileName, readFile);
  const origins = new Map<string, string>();
  let tree: unknown = file?.tree ?? {};
  const set = (setting: string, value: unknown, origin: string) => {
    tree = withSetting(tree, setting.split('.'), value);
    origins.set(setting, origin);
  };
  for (const [setting, { value, name }] of given.settings) set(setting, value, name);
  for (const [setting, text] of Object.entries(flags.set)) set(setting, text, flagOf(setting));

  const originOf = (path: SettingPath) => origins.get(path.join('.')) ?? originInFile(file, path);
  const say = ({ path, message }: ConfigProblem, kind = '') => {
    const setting = path.join('.');
    const isSecret = /^(?:POSTERN|OTEL)_/.test(setting);
    const origin = isSecret ? null : (origins.get(setting) ?? file?.locate(path) ?? null);
    return [origin, kind, setting, message].filter(Boolean).join(': ');
  };
  const { config, problems } = tryConfig(tree, given.secrets, judge);
  const inOrder = problems.toSorted((one, other) => lineOf(file, one) - lineOf(file, other));
  const wrong = [...given.problems, ...lines, ...inOrder.map((problem) => say(problem))];
  return {
    file: fileName,
    tree,
    secrets: given.secrets,
    config: wrong.length === 0 ? config : null,
    problems: wrong,
    warnings: config === null ? [] : configWarnings(config).map((problem) => say(problem, 'warning')),
    secretsSet: given.secretsSet,
    originOf,
  };
}

function tryFile(name: string, readFile: ReadFile): { file: ConfigFile | null; lines: readonly string[] } {
  try {
    return { file: readConfigFile(name, readFile), lines: [] };
  } catch (error) {
    if (!(error instanceof ConfigFileError)) throw error;
    return { file: null, lines: error.lines };
  }
}

/** The same for a tree that was examined before. Throws {@link ConfigError}. */
export function configOfTree(
  tree: unknown,
  secrets: Readonly<Record<string, string | undefined>>,
  judge: JudgePattern,
): Config {
  const isSet = Object.entries(secrets).filter(([, text]) => text !== undefined);
  return readConfig(tree, Object.fromEntries(isSet), {
    ...{ presets: readPresets(), defaultPresets },
    judgePattern: judge,
  });
}

function tryConfig(
  tree: unknown,
  secrets: Readonly<Record<string, string | undefined>>,
  judge: JudgePattern,
): { config: Config | null; problems: readonly ConfigProblem[] } {
  try {
    return { config: configOfTree(tree, secrets, judge), problems: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { config: null, problems: error.problems };
  }
}

function lineOf(file: ConfigFile | null, { path }: ConfigProblem): number {
  return Number(/\d+$/.exec(file?.locate(path) ?? '')?.[0] ?? 0);
}

/** A copy of the tree with that setting; the same tree where there is no map to put it in, which is wrong in itself. */
function withSetting(tree: unknown, path: readonly string[], value: unknown): unknown {
  const [part, ...rest] = path;
  if (part === undefined) return value;
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) return tree;
  const inner = Object.hasOwn(tree, part) ? (tree as Record<string, unknown>)[part] : {};
  return { ...tree, [part]: withSetting(inner, rest, value) };
}

function flagOf(setting: string): string {
  return `--${setting.replaceAll(/[._]/g, '-')}`;
}

function originInFile(file: ConfigFile | null, path: SettingPath): string | null {
  let node = file?.tree;
  for (const part of path) {
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, part)) return null;
    node = (node as Record<string | number, unknown>)[part];
  }
  return file?.locate(path) ?? null;
}
