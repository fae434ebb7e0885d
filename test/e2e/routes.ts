import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseDocument, Scalar, type YAMLSeq } from 'yaml';
import { configureEnvoy, type EnvoySettings } from '../../deploy/envoy/configure.ts';
import type { CertificateFiles } from '../real/certificates.ts';
import { startEcho } from '../real/echo.ts';
import { type Envoy, shippedConfiguration, startEnvoy } from '../real/envoy.ts';
import { type Postern, startPostern } from '../real/postern.ts';
import type { Stack } from './stack.ts';

/** A route that tells Postern of itself in Envoy's `context_extensions`. */
export interface Route {
  readonly prefix: string;
  readonly context: Readonly<Record<string, string>>;
  /** Namespace → what Envoy has as the route's own metadata. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** What a test's Envoy has apart from the shipped configuration. */
export interface EnvoyChange extends EnvoySettings {
  /** Matched before the shipped ones, in this order. */
  readonly routes?: readonly Route[];
  /** What the virtual host says, which Envoy merges into what its routes say, name by name. */
  readonly virtualHost?: Readonly<Record<string, string>>;
  /** Stand before `ext_authz`. */
  readonly filters?: readonly Readonly<Record<string, unknown>>[];
  /** Stand behind `ext_authz`. */
  readonly filtersBehind?: readonly Readonly<Record<string, unknown>>[];
  /** Filter → what all routes have of it. */
  readonly perFilter?: Readonly<Record<string, unknown>>;
  /** Whether Envoy takes x-postern-* of clients out by itself, as shipped; by default Postern alone does. */
  readonly removesEarly?: boolean;
  /** Settings of the HTTP connection manager. */
  readonly http?: Readonly<Record<string, unknown>>;
  /** Settings of the filter that asks Postern. */
  readonly filter?: Readonly<Record<string, unknown>>;
  /** Of its listener; `validation` is Envoy's `validation_context`, without which it asks for no certificate. */
  readonly tls?: { readonly certificate: CertificateFiles; readonly validation: object | null };
}

const CHAIN = ['static_resources', 'listeners', 0, 'filter_chains', 0];
const MANAGER = [...CHAIN, 'filters', 0, 'typed_config'];
const FILTER = [...MANAGER, 'http_filters', 0, 'typed_config'];
const VIRTUAL_HOST = [...MANAGER, 'route_config', 'virtual_hosts', 0];
const ROUTES = [...VIRTUAL_HOST, 'routes'];
const PER_ROUTE = 'type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute';

/** Starts Envoy on the shipped configuration with these changes. */
export async function startChangedEnvoy({
  routes = [],
  http = {},
  filter = {},
  virtualHost = {},
  filters = [],
  filtersBehind = [],
  perFilter = {},
  removesEarly = false,
  tls,
  ...settings
}: EnvoyChange): Promise<Envoy> {
  const shipped = await readFile(shippedConfiguration, 'utf8');
  const document = parseDocument(
    configureEnvoy(shipped, {
      ...{ listenPort: 0, adminPort: 0, checkTimeoutMs: 15_000 },
      ...settings,
    }),
  );
  if (!removesEarly) document.deleteIn([...MANAGER, 'early_header_mutation_extensions']);
  for (const [name, value] of Object.entries(http)) document.setIn([...MANAGER, name], value);
  for (const [name, value] of Object.entries(filter)) document.setIn([...FILTER, name], value);
  if (tls !== undefined) document.setIn([...CHAIN, 'transport_socket'], document.createNode(tlsSocket(tls)));
  const list = document.getIn(ROUTES) as YAMLSeq;
  const nodes = routes.map(({ prefix, context, metadata }) =>
    document.createNode({
      match: { prefix },
      route: { cluster: 'upstream' },
      ...(metadata !== undefined && { metadata: { filter_metadata: metadata } }),
      typed_per_filter_config: {
        'envoy.filters.http.ext_authz': saying(context),
      },
    }),
  );
  list.items.unshift(...nodes);
  const ofHost = { ...perFilter, 'envoy.filters.http.ext_authz': saying(virtualHost) };
  document.setIn([...VIRTUAL_HOST, 'typed_per_filter_config'], document.createNode(ofHost));
  const chain = document.getIn([...MANAGER, 'http_filters']) as YAMLSeq;
  chain.items.unshift(...filters.map((filter) => document.createNode(filter)));
  chain.items.splice(-1, 0, ...filtersBehind.map((filter) => document.createNode(filter)));
  return startEnvoy({ configYaml: document.toString() });
}

function tlsSocket({ certificate: { cert, key }, validation }: NonNullable<EnvoyChange['tls']>) {
  const common = {
    tls_certificates: [{ certificate_chain: { filename: cert }, private_key: { filename: key } }],
    ...(validation !== null && { validation_context: validation }),
  };
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
      common_tls_context: common,
    },
  };
}

function saying(context: Readonly<Record<string, string>>) {
  // Quoted: as a word by itself, Envoy's YAML takes `yes` for true.
  const quoted = Object.entries(context).map(([name, text]) => {
    const scalar = new Scalar(text);
    scalar.type = Scalar.QUOTE_DOUBLE;
    return [name, scalar] as const;
  });
  return { '@type': PER_ROUTE, check_settings: { context_extensions: Object.fromEntries(quoted) } };
}

/** Starts Postern on a settings file with this text. */
export async function startConfigured(
  yaml: string,
  settings: Readonly<Record<string, string>> = {},
  when: { readonly ready?: boolean } = {},
): Promise<Postern> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-settings-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const path = join(folder, 'postern.yaml');
    const document = parseDocument(yaml);
    // Waits for a busy machine, as patient.yaml has it.
    if (!document.has('check')) document.set('check', { store_timeout: '5s' });
    if (!document.has('settle_timeout')) document.set('settle_timeout', '30s');
    await writeFile(path, document.errors.length > 0 ? yaml : document.toString());
    const postern = await startPostern({ POSTERN_CONFIG: path, ...settings }, when);
    // It is read again while the service runs.
    return { ...postern, stop: () => postern.stop().then(remove) };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** A whole stack on a settings file with this text, behind an Envoy with these changes. */
export async function startChangedStack(
  yaml: string,
  settings: Readonly<Record<string, string>> = {},
  change: EnvoyChange = {},
): Promise<Stack> {
  const [postern, echo] = await Promise.all([startConfigured(yaml, settings), startEcho()]);
  const envoy = await startChangedEnvoy({
    checkAddress: postern.check,
    upstreamAddress: echo.address,
    ...change,
  });
  return {
    postern,
    envoy,
    echo,
    async stop() {
      await Promise.all([envoy.stop(), postern.stop(), echo.stop()]);
    },
  };
}
