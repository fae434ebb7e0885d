import { isDeepStrictEqual } from 'node:util';
import type { Scheme } from '../schemes/scheme.ts';
import { dataOf, type SchemeData, schemeOf } from '../schemes/scheme-data.ts';
import type { Config } from './config.ts';
import type { TracingConfig } from './tracing-settings.ts';

/** What of the settings is no matter of who answers Checks, most of it secret. */
const leftOut = [
  'adminKey',
  'admin',
  'http',
  'console',
  'events',
  'github',
  'audit',
  'identityKeys',
] as const;

/** The settings of those who answer Checks. */
export type CheckConfig = Omit<Config, (typeof leftOut)[number]>;

/**
 * The same as data alone, for another thread or process. So a worker reads no settings anew: what that takes, the
 * schema and the presets, is more than all the rest of its code.
 */
export interface SentCheckConfig extends Omit<CheckConfig, 'schemes' | 'adminScheme' | 'tracing'> {
  readonly schemes: readonly SchemeData[];
  readonly adminScheme: SchemeData;
  readonly tracing: (Omit<TracingConfig, 'endpoint'> & { readonly endpoint: string }) | null;
}

export function sentConfigOf(config: Config): SentCheckConfig {
  const { schemes, adminScheme, tracing, peppers, ...others } = withoutLeftOut(config);
  return {
    ...others,
    schemes: schemes.map(dataOf),
    adminScheme: dataOf(adminScheme),
    tracing: tracing === null ? null : { ...tracing, endpoint: tracing.endpoint.href },
    peppers,
  };
}

export function checkConfigOf({ schemes, adminScheme, tracing, ...others }: SentCheckConfig): CheckConfig {
  return {
    ...others,
    schemes: schemes.map(schemeOf) as [Scheme, ...Scheme[]],
    adminScheme: schemeOf(adminScheme),
    tracing: tracing === null ? null : { ...tracing, endpoint: new URL(tracing.endpoint) },
  };
}

/** Settings that are no longer what they were: all of each member that is not the same. */
export type CheckChanges = Partial<SentCheckConfig>;

export function checkChanges(before: SentCheckConfig, after: SentCheckConfig): CheckChanges {
  const members = Object.entries(after) as [keyof SentCheckConfig, unknown][];
  return Object.fromEntries(members.filter(([name, value]) => !isDeepStrictEqual(value, before[name])));
}

/** Whether requests are judged otherwise by them: not where the log alone is another. */
export function changeJudgement({ logLevel: _, requestLog: __, ...others }: CheckChanges): boolean {
  return Object.keys(others).length > 0;
}

function withoutLeftOut(config: Config): CheckConfig {
  const kept: Partial<Config> = { ...config };
  for (const member of leftOut) delete kept[member];
  return kept as CheckConfig;
}
