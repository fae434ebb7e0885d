/**
 * Room `settings/`: Settings. Here: the schema with every default and bound, what is wrong with settings, and
 * the frozen Config. Not here: reading files, flags and the environment (`cli/config/`).
 */

import type { Rule } from '../check/rules.ts';
import type { UnusedKeySettings } from '../events/unused-keys.ts';
import type { AdminClient } from '../keys/admin-permissions.ts';
import type { KeyRule } from '../keys/key-rules.ts';
import type { Limit } from '../keys/limit.ts';
import type { Pepper, Secret } from '../keys/secret.ts';
import type { Listen } from '../net/listen.ts';
import type { TlsFiles } from '../net/tls.ts';
import type { Scheme } from '../schemes/scheme.ts';
import { ConfigError } from './config-problem.ts';
import { type ConsoleSettings, consoleOf } from './console/console-settings.ts';
import { oidcProblems } from './console/oidc-spec.ts';
import {
  type EventConfig,
  eventsOf,
  type GithubSource,
  githubSource,
  unsignedWebhook,
} from './event-settings.ts';
import { keyRuleProblems } from './keys/key-rule-spec.ts';
import { unusedKeysOf } from './keys/unused-key-settings.ts';
import { listenerProblems } from './listener-problems.ts';
import { schemeProblems } from './schemes/scheme-problems.ts';
import { createScheme, type SchemeDefaults } from './schemes/scheme-spec.ts';
import { readSecrets, type SecretSettings, type Secrets } from './secret-settings.ts';
import { problemsOf, prototypeKeys, wording } from './settings-issue.ts';
import { type LogLevel, type Settings, settingsSchema } from './settings-schema.ts';
import { type TracingConfig, tracingOf } from './tracing-settings.ts';
import { ruleProblems } from './traffic/rule-problems.ts';
import { type TrafficConfig, trafficOf, upstreamProblems } from './traffic/traffic-settings.ts';

/** Everything that can be set, read and checked. Nothing else reads settings. */
export interface Config extends TrafficConfig {
  readonly check: {
    readonly listen: Listen;
    /** Whether other processes may listen on its port too. */
    readonly reusePort: boolean;
    /** How an unreachable store is told to Envoy. */
    readonly unavailableAs: 'error_response' | 'denied_response' | 'rpc_error';
    /** Which header has the caller's address; null for the address of the connection to Envoy. */
    readonly addressHeader: string | null;
    /** The largest CheckRequest that is read. */
    readonly requestBytesMax: number;
    /** The longest that a Check waits for one answer of the store. */
    readonly storeTimeoutMs: number;
    readonly connectionsMax: number;
    /** When a connection is told to end, so that clients find new replicas. */
    readonly connectionAgeMaxMs: number;
    /** Null for cleartext, here and below. */
    readonly tls: TlsFiles | null;
  };
  readonly admin: {
    readonly listen: Listen;
    readonly requestBytesMax: number;
    readonly tls: TlsFiles | null;
    readonly clients: readonly AdminClient[];
  };
  readonly http: {
    readonly listen: Listen;
    readonly bodyBytesMax: number;
    readonly tls: TlsFiles | null;
  };
  /** The pages for people; null for none. */
  readonly console: ConsoleSettings | null;
  readonly store: Settings['store'];
  /** How many processes answer Checks; auto: as many as there are cores. */
  readonly processes: Settings['processes'];
  /** What is served where a route names no environment. */
  readonly environment: string;
  readonly logLevel: LogLevel;
  /** The part of the Checks that are allowed of which each is logged, 0 up to 1. */
  readonly allowsSampleRatio: number;
  /** Null where nothing is traced. */
  readonly tracing: TracingConfig | null;
  /** In the order in which they are looked for; the first is CreateKey's default. */
  readonly schemes: readonly [Scheme, ...Scheme[]];
  /** The scheme of admin keys, whether or not Checks know it. */
  readonly adminScheme: Scheme;
  /** Plan → its limits, none for `unlimited`. */
  readonly plans: ReadonlyMap<string, readonly Limit[]>;
  readonly rules: readonly Rule[];
  readonly keyRules: readonly KeyRule[];
  readonly unusedKeys: UnusedKeySettings;
  readonly holder: Settings['holder'];
  readonly stalenessMaxMs: number;
  /** The longest that a revocation waits for every replica to confirm. */
  readonly settleMaxMs: number;
  readonly retentionMs: number;
  readonly audit: {
    /** How long entries of the journal are kept. */
    readonly retentionMs: number;
  };
  readonly events: EventConfig;
  /** Where the keys come from that GitHub's reports are signed by. */
  readonly github: GithubSource;
  /** Bounds of what memory holds. */
  readonly memory: {
    readonly keysMax: number;
    readonly missesMax: number;
    readonly ownersMax: number;
    readonly readsMax: number;
    readonly spendersMax: number;
    /** Reads of the store that find no key, each second. */
    readonly missReadsPerSecond: number;
  };
  /** Whether keys with a limit pass when the store cannot be asked for more units of it. */
  readonly limitsWhenUnavailable: 'allow' | 'deny';
  /** How often the use of keys is written. */
  readonly usageFlushMs: number;
  readonly drainMs: number;
  /** Null when the host's name and a random part are to be used. */
  readonly replicaId: string | null;
  readonly adminKey: Secret | null;
  readonly peppers: readonly Pepper[];
  /** PKCS #8 as PEM each; none where the store has them. */
  readonly identityKeys: readonly string[];
}

/** What the settings are read beside. */
export interface ConfigSurroundings {
  /** The schemes that may be listed by name, the product's own, `postern`, among them. */
  readonly presets: ReadonlyMap<string, Scheme>;
  /** Those of them that there are where the settings list none; default: all. */
  readonly defaultPresets?: readonly string[];
  /** Why a pattern may take too long on a key made to that end; null when none can. */
  readonly judgePattern: (pattern: string) => string | null;
}

/** Settings → a Config, every default filled in. Throws {@link ConfigError} with all that is wrong. */
export function readConfig(
  tree: unknown,
  given: SecretSettings,
  { presets: all, defaultPresets = [...all.keys()], judgePattern }: ConfigSurroundings,
): Config {
  const adminScheme = all.get('postern');
  if (adminScheme === undefined) throw new Error("the product's own scheme is not among the presets");
  const result = settingsSchema.safeParse(tree, { reportInput: true, error: wording });
  const members = isMap(tree) ? tree : {};
  const { problems: wrongSecrets, ...secrets } = readSecrets(given);
  const { problems: wrongSchemes, names } = schemeProblems(members.schemes ?? [...defaultPresets], {
    presets: all,
    adminScheme,
    plans: isMap(members.plans) ? Object.keys(members.plans) : [],
    hasChecksumKeys: given.checksumKeys !== undefined,
    judgePattern,
  });
  const problems = [
    ...problemsOf(result.error?.issues ?? []),
    ...prototypeKeys(tree),
    ...wrongSchemes,
    ...ruleProblems(members.rules, names),
    ...keyRuleProblems(members.key_rules, [...names, adminScheme.name]),
    ...listenerProblems(result.data),
    ...[wrongSecrets, oidcProblems(result.data?.console, given)].flat(),
    ...unsignedWebhook(result.data?.events, given),
  ];
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  const defaults = { answers: adminScheme.answers, checksumKeys: secrets.checksumKeys };
  const schemes = schemesOf(result.data.schemes ?? defaultPresets, all, defaults);
  const wrongHeaders = upstreamProblems(result.data.upstream_headers, schemes);
  if (wrongHeaders.length > 0) throw new ConfigError(wrongHeaders);
  return configOf(result.data, secrets, { schemes, adminScheme });
}

function configOf(
  settings: Settings,
  secrets: Secrets,
  { schemes, adminScheme }: Pick<Config, 'schemes' | 'adminScheme'>,
): Config {
  return Object.freeze({
    check: {
      listen: settings.check.listen,
      reusePort: settings.check.reuse_port,
      unavailableAs: settings.check.unavailable_as,
      addressHeader: settings.check.address_header ?? null,
      requestBytesMax: settings.check.request_bytes_max,
      storeTimeoutMs: settings.check.store_timeout,
      connectionsMax: settings.check.connections_max,
      connectionAgeMaxMs: settings.check.connection_age_max,
      tls: settings.check.tls ?? null,
    },
    admin: {
      listen: settings.admin.listen,
      requestBytesMax: settings.admin.request_bytes_max,
      tls: settings.admin.tls ?? null,
      clients: settings.admin.clients,
    },
    http: {
      listen: settings.http.listen,
      bodyBytesMax: settings.http.body_bytes_max,
      tls: settings.http.tls ?? null,
    },
    console: consoleOf(settings.console, settings.http.tls !== undefined, secrets),
    ...{ store: settings.store, processes: settings.processes },
    ...trafficOf(settings),
    ...{ environment: settings.environment, logLevel: settings.log.level },
    allowsSampleRatio: settings.log.allows_sample_ratio,
    tracing: tracingOf(settings.tracing, secrets.traceHeaders),
    schemes,
    adminScheme,
    plans: new Map(Object.entries(settings.plans)),
    ...{ rules: settings.rules, keyRules: settings.key_rules },
    ...{ unusedKeys: unusedKeysOf(settings.unused_keys), holder: settings.holder },
    stalenessMaxMs: settings.staleness_max,
    settleMaxMs: settings.settle_timeout,
    retentionMs: settings.retention,
    audit: { retentionMs: settings.audit.retention },
    events: eventsOf(settings.events, secrets),
    github: githubSource(settings.leaks.github),
    memory: {
      keysMax: settings.memory.keys_max,
      missesMax: settings.memory.misses_max,
      ownersMax: settings.memory.owners_max,
      readsMax: settings.memory.reads_max,
      spendersMax: settings.memory.spenders_max,
      missReadsPerSecond: settings.memory.miss_reads_per_second,
    },
    limitsWhenUnavailable: settings.limits_when_unavailable,
    usageFlushMs: settings.usage_flush_interval,
    drainMs: settings.drain_timeout,
    replicaId: settings.replica_id ?? null,
    adminKey: secrets.adminKey,
    ...{ peppers: secrets.peppers, identityKeys: secrets.identityKeys },
  });
}

function schemesOf(
  listed: NonNullable<Settings['schemes']> | readonly string[],
  presets: ReadonlyMap<string, Scheme>,
  defaults: SchemeDefaults,
): readonly [Scheme, ...Scheme[]] {
  const schemes = listed.flatMap((entry) =>
    typeof entry === 'string' ? (presets.get(entry) ?? []) : createScheme(entry, defaults),
  );
  return schemes as [Scheme, ...Scheme[]];
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
