import { z } from 'zod';
import { adminClient } from './admin-client-spec.ts';
import { consoleSpec } from './console/console-settings.ts';
import { eventsSpec, leaksSpec } from './event-settings.ts';
import { holderSpec } from './keys/holder-settings.ts';
import { keyRuleSpec } from './keys/key-rule-spec.ts';
import { planSpec } from './keys/plan-spec.ts';
import { unusedKeysSpec } from './keys/unused-key-settings.ts';
import { schemeSpec } from './schemes/scheme-spec.ts';
import {
  countOrAuto,
  duration,
  listen,
  reloadable,
  reloadableIn,
  store,
  text,
  tls,
  wholeNumber,
} from './setting-forms.ts';
import { ratio, tracingSpec } from './tracing-settings.ts';
import { ruleSpec } from './traffic/rule-spec.ts';
import {
  cleartext,
  httpCheckSpec,
  identityTokenSpec,
  mode,
  requestLogSpec,
  upstreamHeadersSpec,
} from './traffic/traffic-settings.ts';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

const day = 86_400_000;
const rulesMax = 10_000;
const processesMax = 256;
const bytes = wholeNumber(1_024, 64 * 1_024 * 1_024);
const entries = wholeNumber(1, 100_000_000);

const check = z.strictObject({
  listen: listen.prefault('127.0.0.1:50051').describe('Where Check is served: host:port or unix:/path.'),
  reuse_port: z
    .boolean()
    .default(false)
    .describe('Whether other processes on this machine may serve Check on the same port.'),
  tls: tls.describe('TLS of this listener; read again when the files change (default: none).'),
  unavailable_as: z
    .enum(['error_response', 'denied_response', 'rpc_error'])
    .default('error_response')
    .describe(
      "How Envoy is told that the store cannot be asked: by its ErrorResponse, as a denial, or by a failed call, which Envoy's failure_mode_allow allows.",
    ),
  address_header: text(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, 'expected a header name')
    .transform((header) => header.toLowerCase())
    .optional()
    .describe(
      "The header in which Envoy says the caller's address, behind proxies of yours; no client may be able to write it (default: the address of the connection to Envoy).",
    ),
  request_bytes_max: bytes
    .default(1_048_576)
    .describe('The largest CheckRequest that is read whole, in bytes.'),
  store_timeout: duration(10, 60_000)
    .prefault('150ms')
    .describe(
      "The longest that a Check waits for one answer of MongoDB; keep it below Envoy's timeout for one try.",
    ),
  connections_max: wholeNumber(1, 100_000)
    .default(1_000)
    .describe('Connections at once; past it an idle one makes room, or the new one is closed.'),
  connection_age_max: duration(1_000, 365 * day)
    .prefault('10m')
    .describe(
      'The age at which a connection is ended, without losing a Check, so that Envoy finds new replicas.',
    ),
});

const admin = z.strictObject({
  listen: listen.prefault('127.0.0.1:50052').describe('Where KeyAdmin is served: host:port or unix:/path.'),
  tls: tls.describe('TLS of this listener; read again when the files change (default: none).'),
  clients: z
    .array(adminClient)
    .max(1_000)
    .prefault([])
    .describe(
      'Who may make admin calls, over gRPC and REST, by a client certificate instead of an admin key.',
    ),
  request_bytes_max: bytes.default(1_048_576).describe('The largest message that is read, in bytes.'),
});

const http = z.strictObject({
  listen: listen
    .prefault('127.0.0.1:8080')
    .describe('Where REST, health and metrics are served: host:port or unix:/path.'),
  tls: tls.describe('TLS of this listener; read again when the files change (default: none).'),
  body_bytes_max: bytes.default(1_048_576).describe('The largest body that is read, in bytes.'),
});

const memory = z.strictObject({
  keys_max: entries.default(1_000_000).describe('Keys that are known.'),
  misses_max: entries.default(100_000).describe('Digests that are known to be of no key.'),
  owners_max: entries.default(100_000).describe('Owners that are known.'),
  reads_max: entries.default(1_000).describe('Reads of the store under way at once.'),
  spenders_max: entries.default(1_000_000).describe('Keys whose rate limits are counted.'),
  miss_reads_per_second: wholeNumber(1, 1_000_000)
    .default(2_000)
    .describe('Reads of the store, each second, that find no key.'),
});

const audit = z.strictObject({
  retention: duration(1_000, 3_650 * day)
    .prefault('400d')
    .describe('How long audit events are kept.'),
});

/** A scheme that ships with the product, by name. */
export const presetName = z.string();

/** The settings as a tree, as the YAML file has them. */
export const settingsSchema = z
  .strictObject({
    check: check.prefault({}).describe("Envoy's external authorization, over gRPC."),
    admin: admin.prefault({}).describe('The admin API, over gRPC.'),
    http: http.prefault({}).describe('The HTTP listener.'),
    http_check: httpCheckSpec
      .prefault({})
      .describe('Checks over HTTP, for proxies that ask so: nginx, Caddy, HAProxy, Traefik.'),
    store: store
      .prefault('sqlite:data/postern.db')
      .describe('Where keys are kept: sqlite:FILE, sqlite::memory: or mongodb://HOST:PORT/DATABASE.'),
    processes: countOrAuto(processesMax)
      .prefault(1)
      .describe('How many processes answer Checks, all on check.listen; auto: as many as there are cores.'),
    mode: mode
      .default('enforce')
      .describe('Whether requests are judged, or only observed: allowed, and what they would be is counted.')
      .register(reloadable, { isList: false }),
    cleartext: cleartext
      .default('allow')
      .describe('What becomes of requests that came by http; revoke revokes the key that came so, too.')
      .register(reloadable, { isList: false }),
    upstream_headers: upstreamHeadersSpec
      .prefault({})
      .describe(
        'Header for the upstream → what it tells: key_id, key_name, owner, scheme, environment, permissions, plan, labels.NAME or owner_labels.NAME. No client can send one of these.',
      )
      .register(reloadable, { isList: true }),
    identity_headers: z
      .boolean()
      .default(true)
      .describe(
        'Whether the upstream is told of the key in x-postern-key-id, -owner, -scheme, -environment and -permissions.',
      )
      .register(reloadable, { isList: false }),
    identity_token: identityTokenSpec
      .optional()
      .describe('A JWT of the key for the upstream (default: none).'),
    environment: text(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'expected a name of a-z, 0-9, _ and -')
      .default('live')
      .describe('The environment whose keys are allowed where a route names none.')
      .register(reloadable, { isList: false }),
    log: z
      .strictObject({
        level: z
          .enum(logLevels)
          .default('info')
          .describe('The least that is logged.')
          .register(reloadable, { isList: false }),
        allows_sample_ratio: ratio
          .default(0)
          .describe('The part of the Checks that are allowed of which each is a line; of denials all are.'),
      })
      .prefault({})
      .describe('The log, JSON lines on standard error.'),
    tracing: tracingSpec.prefault({}).describe('Traces of Checks and admin calls, for OpenTelemetry.'),
    schemes: z
      .array(
        z.union([presetName, schemeSpec], { error: "expected a preset's name, or a scheme of one's own" }),
      )
      .min(1)
      .optional()
      .describe(
        "The schemes of keys, presets by name or schemes of one's own; the first is CreateKey's default (default: all presets).",
      )
      .register(reloadable, { isList: true }),
    plans: z
      .record(text(/^[A-Za-z0-9_-]{1,64}$/, 'expected letters, digits, _ and -'), planSpec)
      .prefault({})
      .describe('Plan → its rate limit, {limit: 300, window: 60s}, or unlimited.')
      .register(reloadable, { isList: true }),
    rules: z
      .array(ruleSpec)
      .max(rulesMax)
      .prefault([])
      .describe("What routes ask for, where Envoy's context_extensions do not say it.")
      .register(reloadable, { isList: true }),
    key_rules: z
      .array(keyRuleSpec)
      .max(100)
      .prefault([])
      .describe('What keys have to be; all rules that match hold, the narrowest number wins.')
      .register(reloadable, { isList: true }),
    unused_keys: unusedKeysSpec.prefault({}).describe('What becomes of keys that nobody uses.'),
    staleness_max: duration(1_000, 3_600_000)
      .prefault('15s')
      .describe('The longest that a replica cut off from the store answers from memory.'),
    settle_timeout: duration(1, 60_000)
      .prefault('1s')
      .describe('The longest that RevokeKey and its like wait until every replica has seen the change.'),
    retention: duration(1_000, 3_650 * day)
      .prefault('30d')
      .describe('How long keys are kept after they have ended.'),
    audit: audit.prefault({}).describe('The audit log of changes, refused calls and notices.'),
    request_log: requestLogSpec.prefault({}).describe('The log of what requests were made with which key.'),
    events: eventsSpec.prefault({}).describe('What is told of what happens, and to whom.'),
    leaks: leaksSpec.prefault({}).describe('Who may report leaked keys besides those with an admin key.'),
    holder: holderSpec.prefault({}).describe('What whoever has a key may do with it, by the key itself.'),
    console: consoleSpec.prefault({}).describe('The pages for people, on the HTTP listener.'),
    memory: memory.prefault({}).describe('The most that is kept in memory.'),
    limits_when_unavailable: z
      .enum(['allow', 'deny'])
      .default('allow')
      .describe('Whether keys with a rate limit pass when the store cannot be asked for more of it.'),
    usage_flush_interval: duration(100, 10_000)
      .prefault('5s')
      .describe('How often the use of keys is written, and so how late it is seen.'),
    drain_timeout: duration(1, 3_600_000)
      .prefault('20s')
      .describe('The longest that requests under way are waited for at the end.'),
    replica_id: text(/^[\x21-\x7e]{1,128}$/, 'expected up to 128 printable ASCII characters')
      .optional()
      .describe('The name of this process among its replicas (default: host name and a random part).'),
  })
  .meta({
    title: 'Postern settings',
    description: 'The settings of Postern, API-key authorization for Envoy.',
  });

export type Settings = z.output<typeof settingsSchema>;
export type SettingsIssue = z.core.$ZodIssue;

/** The names of the settings that can be reloaded, as in `log.level`, with those that are lists of thousands apart. */
export const reloadableSettings = reloadableIn(settingsSchema.shape);
