/** A folder of `src/`: what it may import. `test/tidy/rules.ts` holds it, ARCHITECTURE.md shows the same table. */
export interface Room {
  /** What is inside, for ARCHITECTURE.md. */
  readonly holds: string;
  /** The file to open first: it begins with a comment that says what belongs into the room and what does not. */
  readonly opens: string;
  /** The rooms it may import, each of which stands above it in the table. */
  readonly rooms: readonly string[];
  readonly packages?: readonly string[];
}

/** From the ground up: a room imports only what stands before it, so that there is no circle of rooms. */
export const ROOMS: Readonly<Record<string, Room>> = {
  time: { holds: 'times and durations, clocks that are set, work that repeats', opens: 'time.ts', rooms: [] },
  keys: { holds: 'the records of keys and owners, secrets and their digests', opens: 'key.ts', rooms: [] },
  schemes: {
    holds: "a vendor's keys: places, forms, checksums, and the words of an answer",
    opens: 'scheme.ts',
    rooms: ['keys'],
  },
  journal: {
    holds: 'the audit log: its entries, their hash chain, where they are kept',
    opens: 'journal.ts',
    rooms: ['keys', 'time'],
  },
  store: {
    holds: "the store's contract, and what every store tells of itself",
    opens: 'store.ts',
    rooms: ['journal', 'keys', 'schemes'],
  },
  tracing: {
    holds: 'spans, over the API of OpenTelemetry alone',
    opens: 'tracing.ts',
    rooms: ['store'],
    packages: ['@opentelemetry/api'],
  },
  net: {
    holds: 'addresses, listeners, TLS, RPC methods apart from what carries them',
    opens: 'listen.ts',
    rooms: ['tracing'],
  },
  cache: {
    holds: 'the keys in memory: hits, misses, one read for many waiters',
    opens: 'keyring.ts',
    rooms: ['keys', 'store'],
  },
  limits: {
    holds: 'plans, and rate limits leased from the store',
    opens: 'limiter.ts',
    rooms: ['cache', 'keys', 'schemes', 'store'],
  },
  check: {
    holds: 'the decision of a Check, from the request to what the caller reads',
    opens: 'authorize.ts',
    rooms: ['cache', 'keys', 'limits', 'net', 'schemes', 'store', 'time'],
  },
  forward: {
    holds: 'Checks over HTTP, for proxies that ask by a subrequest',
    opens: 'forward.ts',
    rooms: ['check', 'net', 'schemes'],
  },
  identity: {
    holds: 'the signed identity that upstreams are told: its keys, their rotation, its tokens',
    opens: 'identity.ts',
    rooms: ['cache', 'check', 'keys', 'store'],
  },
  usage: {
    holds: 'what keys are used for: gathered, written in bulk, reported',
    opens: 'usage.ts',
    rooms: ['check', 'keys', 'schemes', 'store', 'time'],
  },
  events: {
    holds: 'what watches the journal: delivery, webhooks, notices to operators',
    opens: 'events.ts',
    rooms: ['cache', 'journal', 'keys', 'limits', 'net', 'schemes', 'store', 'time'],
  },
  changes: {
    holds: 'every change of a key and an owner',
    opens: 'registry.ts',
    rooms: ['check', 'journal', 'keys', 'limits', 'schemes', 'store', 'time'],
  },
  settings: {
    holds: 'settings read into one frozen Config: every default and bound',
    opens: 'config.ts',
    rooms: ['check', 'events', 'identity', 'keys', 'net', 'schemes', 'time', 'tracing'],
    packages: ['zod'],
  },
  presets: {
    holds: 'the schemes that ship, YAML',
    opens: 'read.ts',
    rooms: ['schemes', 'settings'],
    packages: ['yaml'],
  },
  restore: {
    holds: 'a restored store, and the changes it lacks',
    opens: 'replay.ts',
    rooms: ['changes', 'journal', 'keys', 'store', 'time'],
  },
  admin: {
    holds: 'the operations of KeyAdmin, apart from any wire: who may, then what',
    opens: 'admin.ts',
    rooms: [
      ...[
        'cache',
        'changes',
        'check',
        'events',
        'journal',
        'keys',
        'limits',
        'net',
        'schemes',
        'settings',
        'store',
        'time',
      ],
      ...['tracing', 'usage'],
    ],
    packages: ['zod'],
  },
  telemetry: {
    holds: 'metrics, the log, and spans around Checks, admin calls and store operations',
    opens: 'telemetry.ts',
    rooms: ['admin', 'cache', 'changes', 'check', 'net', 'schemes', 'settings', 'store', 'tracing'],
    packages: ['pino', 'prom-client'],
  },
  link: {
    holds: 'what the service and its Check workers say to each other, over threads and processes',
    opens: 'messages.ts',
    rooms: ['forward', 'identity', 'keys', 'limits', 'net', 'schemes', 'settings', 'store', 'telemetry'],
  },
  mongo: {
    holds: 'the store on MongoDB: records, change feed, lease, fleet',
    opens: 'store.ts',
    rooms: ['journal', 'keys', 'restore', 'schemes', 'store'],
    packages: ['mongodb'],
  },
  sqlite: {
    holds: 'the store on node:sqlite, its backups',
    opens: 'store.ts',
    rooms: ['cache', 'journal', 'keys', 'restore', 'schemes', 'store'],
  },
  otel: {
    holds: "OpenTelemetry's SDK, loaded where traces are configured",
    opens: 'span-export.ts',
    rooms: ['settings', 'tracing'],
    packages: [
      '@opentelemetry/api',
      '@opentelemetry/core',
      '@opentelemetry/exporter-trace-otlp-proto',
      '@opentelemetry/resources',
      '@opentelemetry/sdk-trace',
    ],
  },
  oidc: {
    holds: 'signing in by an OpenID provider, loaded with the first sign-in',
    opens: 'oidc.ts',
    rooms: [],
    packages: ['openid-client'],
  },
  h2: {
    holds: 'gRPC over HTTP/2 frames on plain sockets, which Checks come by',
    opens: 'listener.ts',
    rooms: ['net', 'telemetry', 'tracing'],
  },
  grpc: {
    holds: "Envoy's and KeyAdmin's protobuf: codecs, methods, statuses",
    opens: 'server.ts',
    rooms: [
      ...[
        'admin',
        'cache',
        'changes',
        'check',
        'journal',
        'keys',
        'limits',
        'net',
        'schemes',
        'store',
        'telemetry',
        'time',
      ],
      ...['tracing', 'usage'],
    ],
    packages: ['@bufbuild/protobuf', '@grpc/grpc-js', '@grpc/reflection'],
  },
  client: {
    holds: 'what programs call Postern by: `postern/client` of the package',
    opens: 'client.ts',
    rooms: ['grpc'],
    packages: ['@grpc/grpc-js'],
  },
  controller: {
    holds: "keys, owners and roles as objects in Kubernetes: what makes Postern's what these ask for",
    opens: 'controller.ts',
    rooms: ['time'],
    packages: ['@kubernetes/client-node', 'prom-client', 'zod'],
  },
  http: {
    holds: 'REST, OpenAPI, health, metrics',
    opens: 'server.ts',
    rooms: ['admin', 'changes', 'events', 'journal', 'keys', 'net', 'store', 'time', 'tracing', 'usage'],
    packages: ['fastify', 'prom-client'],
  },
  console: {
    holds: 'the pages under /console, which ask REST as anybody does',
    opens: 'console.ts',
    rooms: ['admin', 'keys', 'net', 'settings', 'time'],
    packages: ['@fastify/cookie', '@fastify/formbody', 'fastify', 'htm', 'preact', 'preact-render-to-string'],
  },
  cli: {
    holds: 'the command line and the running service: the only place that wires',
    opens: 'main.ts',
    rooms: [
      ...['admin', 'cache', 'changes', 'check', 'console', 'controller', 'events', 'forward', 'grpc', 'h2'],
      ...['http', 'identity', 'journal', 'keys'],
      ...[
        'limits',
        'link',
        'mongo',
        'net',
        'oidc',
        'otel',
        'presets',
        'restore',
        'schemes',
        'settings',
        'sqlite',
        'store',
      ],
      ...['telemetry', 'time', 'tracing', 'usage'],
    ],
    packages: ['@eslint-community/regexpp', 'commander', 'pino', 'pino-pretty', 'yaml', 'zod'],
  },
};

/** Files of `src/` itself that every room may import. */
export const ENTRANCE: ReadonlySet<string> = new Set(['src/failure.ts', 'src/version.ts']);

/** As ARCHITECTURE.md shows it. */
export function roomsTable(): string {
  const rows = Object.entries(ROOMS).map(
    ([name, { holds, opens, rooms }]) =>
      `| [\`${name}/\`](src/${name}/${opens}) | ${holds} | ${rooms.join(', ') || '–'} |`,
  );
  return ['| room | holds | imports |', '| --- | --- | --- |', ...rows].join('\n');
}
