import { at, isThere, listAt, numberAt, textAt } from '../files/json-tree.ts';

/** The parts of an Envoy's configuration that are looked at, from wherever they were told. */
export interface EnvoyConfiguration {
  /** Major, minor, patch; null where it is not told. */
  readonly version: readonly [number, number, number] | null;
  /** Whether it stands beside one workload, as Istio's sidecars do. */
  readonly isSidecar: boolean;
  readonly listeners: readonly unknown[];
  /** By name. */
  readonly clusters: ReadonlyMap<string, unknown>;
  readonly routes: ReadonlyMap<string, unknown>;
  /** Of clusters whose endpoints are told apart from them. */
  readonly endpoints: ReadonlyMap<string, unknown>;
  /** Filters that are told apart from their listener (ECDS). */
  readonly filters: ReadonlyMap<string, unknown>;
}

/**
 * Reads what `/config_dump` answers, or a bootstrap file as it is given to Envoy by `-c`. Null for anything else.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/admin/v3/config_dump.proto
 */
export function readConfiguration(tree: unknown): EnvoyConfiguration | null {
  const parts = listAt(tree, 'configs');
  if (parts.length > 0) return fromDump(parts);
  return isThere(tree, 'static_resources') ? fromBootstrap(tree) : null;
}

function fromDump(parts: readonly unknown[]): EnvoyConfiguration {
  const all = (...path: string[]) => parts.flatMap((part) => listAt(part, ...path));
  const node = parts.map((part) => at(part, 'bootstrap', 'node')).find((found) => found !== undefined);
  const clusters = ['static_clusters', 'dynamic_active_clusters', 'dynamic_warming_clusters'];
  const routes = ['static_route_configs', 'dynamic_route_configs'];
  const endpoints = ['static_endpoint_configs', 'dynamic_endpoint_configs'];
  return {
    version: versionOf(node),
    isSidecar: textAt(node, 'id').startsWith('sidecar~'),
    listeners: [
      ...all('static_listeners').map((found) => at(found, 'listener')),
      ...all('dynamic_listeners').map((found) => at(found, 'active_state', 'listener')),
    ].filter((found) => found !== undefined),
    clusters: byName(clusters.flatMap((name) => all(name)).map((found) => at(found, 'cluster'))),
    routes: byName(routes.flatMap((name) => all(name)).map((found) => at(found, 'route_config'))),
    endpoints: byName(
      endpoints.flatMap((name) => all(name)).map((found) => at(found, 'endpoint_config')),
      'cluster_name',
    ),
    filters: byName(all('ecds_filters').map((found) => at(found, 'ecds_filter'))),
  };
}

function fromBootstrap(tree: unknown): EnvoyConfiguration {
  return {
    version: null,
    isSidecar: textAt(tree, 'node', 'id').startsWith('sidecar~'),
    listeners: listAt(tree, 'static_resources', 'listeners'),
    clusters: byName(listAt(tree, 'static_resources', 'clusters')),
    ...{ routes: new Map(), endpoints: new Map(), filters: new Map() },
  };
}

function byName(found: readonly unknown[], member = 'name'): Map<string, unknown> {
  return new Map(found.filter((one) => one !== undefined).map((one) => [textAt(one, member), one]));
}

function versionOf(node: unknown): EnvoyConfiguration['version'] {
  const path = ['user_agent_build_version', 'version'];
  if (!isThere(node, ...path)) return null;
  const [major, minor, patch] = ['major_number', 'minor_number', 'patch'].map((name) =>
    numberAt(node, ...path, name),
  );
  return [major ?? 0, minor ?? 0, patch ?? 0];
}

/** One place where HTTP requests come in, and the filters that they pass. */
export interface HttpEntrance {
  /** Listener and filter chain, for a person. */
  readonly where: string;
  readonly direction: string;
  /** The HttpConnectionManager. */
  readonly manager: unknown;
  readonly filters: readonly HttpFilter[];
}

export interface HttpFilter {
  readonly name: string;
  /** The message that configures it, such as `ExtAuthz`. */
  readonly type: string;
  readonly settings: unknown;
  /** Off, unless a route turns it on. */
  readonly isDisabled: boolean;
  /** Whether a matcher decides about each request. */
  readonly isConditional: boolean;
}

export function entrancesOf(configuration: EnvoyConfiguration): HttpEntrance[] {
  return configuration.listeners.flatMap((listener) => {
    const chains = [...listAt(listener, 'filter_chains'), at(listener, 'default_filter_chain')].filter(
      (chain) => chain !== undefined,
    );
    return chains.flatMap((chain, index) =>
      listAt(chain, 'filters')
        .map((filter) => message(at(filter, 'typed_config')))
        .filter(({ type }) => type === 'HttpConnectionManager')
        .map(({ settings: manager }) => ({
          where: place(listener, chain, { index, of: chains.length }),
          direction: textAt(listener, 'traffic_direction'),
          manager,
          filters: listAt(manager, 'http_filters').map((filter) => httpFilter(filter, configuration)),
        })),
    );
  });
}

function httpFilter(filter: unknown, { filters }: EnvoyConfiguration): HttpFilter {
  const name = textAt(filter, 'name');
  const own = at(filter, 'typed_config') ?? at(filters.get(name), 'typed_config');
  const outer = message(own);
  const isConditional = outer.type === 'ExtensionWithMatcher';
  const inner = isConditional ? message(at(outer.settings, 'extension_config', 'typed_config')) : outer;
  return { name, ...inner, isDisabled: at(filter, 'disabled') === true, isConditional };
}

/** A message and its type without its package; one in the form of a TypedStruct too. */
export function message(packed: unknown): { readonly type: string; readonly settings: unknown } {
  const type = lastPart(textAt(packed, '@type'));
  if (type !== 'TypedStruct') return { type, settings: packed };
  return { type: lastPart(textAt(packed, 'type_url')), settings: at(packed, 'value') };
}

function lastPart(type: string): string {
  return type.slice(Math.max(type.lastIndexOf('.'), type.lastIndexOf('/')) + 1);
}

function place(
  listener: unknown,
  chain: unknown,
  { index, of }: { readonly index: number; readonly of: number },
): string {
  const name = `listener ${textAt(listener, 'name') || 'without a name'}`;
  return of === 1 ? name : `${name}, filter chain ${textAt(chain, 'name') || String(index + 1)}`;
}
