// biome-ignore-all lint/suspicious/noExplicitAny: the configuration is JSON of every shape.
/** The parts of the shipped configuration that a case may break; a listener and a cluster of its own each. */
export interface Parts {
  readonly listener: any;
  readonly manager: any;
  /** The ext_authz filter's own settings. */
  readonly check: any;
  readonly filters: any[];
  readonly host: any;
  readonly cluster: any;
}

/** One change, and the findings that it makes, and no others. */
export interface Case {
  readonly name: string;
  readonly change: (parts: Parts) => void;
  readonly finds: readonly string[];
}

const off = (extent: any) => {
  extent.typed_per_filter_config = { 'envoy.filters.http.ext_authz': perRoute({ disabled: true }) };
};

const perRoute = (settings: object) => ({
  '@type': 'type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute',
  ...settings,
});

const plain = (route: object) => ({ match: { prefix: '/' }, ...route });
const toUpstream = { route: { cluster: 'upstream' } };

export const cases: readonly Case[] = [
  { name: 'as-shipped', change() {}, finds: [] },
  one('fail-open', 'error envoy.fail_open', ({ check }) => (check.failure_mode_allow = true)),
  one('shadow', 'info envoy.shadow_mode', ({ check }) => (check.shadow_mode = true)),
  one('switched-off', 'error envoy.filter_disabled', ({ filters }) => (filters[0].disabled = true)),
  one('half', 'error envoy.partial', ({ check }) => {
    check.filter_enabled = { default_value: { numerator: 50 }, runtime_key: 'a' };
  }),
  one('nobody', 'error envoy.partial', ({ check }) => {
    check.filter_enabled = { default_value: { numerator: 0, denominator: 'MILLION' } };
  }),
  one('half-refused', 'warning envoy.partial', ({ check }) => {
    check.filter_enabled = { default_value: { numerator: 500_000, denominator: 'MILLION' } };
    check.deny_at_disable = { default_value: true, runtime_key: 'b' };
  }),
  one('by-metadata', 'error envoy.by_metadata', ({ check }) => {
    check.filter_enabled_metadata = metadata('envoy.filters.http.lua');
  }),
  one('as-istio', 'info envoy.by_metadata', ({ check }) => {
    check.filter_enabled_metadata = metadata('envoy.filters.http.rbac');
  }),
  one('matched', 'warning envoy.conditional', ({ filters }) => {
    filters[0].typed_config = skippedFor(structuredClone(filters[0].typed_config));
  }),
  one('no-status', 'warning envoy.status_on_error', ({ check }) => delete check.status_on_error),
  one('status-401', 'warning envoy.status_on_error', ({ check }) => {
    check.status_on_error.code = 'Unauthorized';
  }),
  { name: 'status-500', change: ({ check }) => (check.status_on_error.code = 500), finds: [] },
  one('http-service', 'error envoy.http_service', ({ check }) => {
    const { cluster_name: cluster } = check.grpc_service.envoy_grpc;
    delete check.grpc_service;
    check.http_service = { server_uri: { uri: 'http://postern', cluster, timeout: '1s' } };
  }),
  one('google-grpc', 'warning envoy.google_grpc', ({ check }) => {
    delete check.grpc_service.envoy_grpc;
    check.grpc_service.google_grpc = { target_uri: '127.0.0.1:1', stat_prefix: 'a' };
  }),
  one('no-timeout', 'warning envoy.timeout', ({ check }) => delete check.grpc_service.timeout),
  one('zero-timeout', 'warning envoy.timeout', ({ check }) => (check.grpc_service.timeout = '0s')),
  one('long-timeout', 'warning envoy.timeout', ({ check }) => (check.grpc_service.timeout = '600s')),
  one('no-retries', 'warning envoy.retries', ({ check }) => delete check.grpc_service.retry_policy),
  one('retries-inside', 'warning envoy.retries', ({ check }) => {
    check.grpc_service.envoy_grpc.retry_policy = { retry_on: 'unavailable' };
    delete check.grpc_service.retry_policy;
  }),
  one('short-tries', 'warning envoy.retry_back_off', ({ check }) => {
    delete check.grpc_service.retry_policy.retry_back_off.max_interval;
  }),
  one('joined', 'warning envoy.raw_headers', ({ check }) => delete check.encode_raw_headers),
  one('few-headers', 'error envoy.headers', ({ check }) => {
    check.allowed_headers = { patterns: [{ prefix: 'x-request-' }] };
  }),
  one('no-authorization', 'warning envoy.headers', ({ check }) => {
    check.disallowed_headers = { patterns: [{ exact: 'Authorization', ignore_case: true }] };
  }),
  {
    name: 'enough-headers',
    change: ({ check }) => {
      check.allowed_headers = { patterns: [{ suffix: 'authorization' }, { contains: 'api-key' }] };
    },
    finds: [],
  },
  one('body', 'warning envoy.body', ({ check }) => (check.with_request_body = { max_request_bytes: 9 })),
  one('new-route', 'warning envoy.clear_route_cache', ({ check }) => (check.clear_route_cache = true)),
  one(
    'mutation-rules',
    'warning envoy.header_mutations',
    ({ check }) => (check.decoder_header_mutation_rules = {}),
  ),
  one('health-first', 'info envoy.order', ({ filters }) => filters.unshift(healthCheck(false))),
  { name: 'health-through', change: ({ filters }) => filters.unshift(healthCheck(true)), finds: [] },
  one('cached', 'error envoy.order', ({ filters }) => filters.unshift(cache)),
  one('unguarded', 'warning envoy.unguarded', ({ filters }) => filters.shift()),
  one('dots', 'error envoy.normalize_path', ({ manager }) => delete manager.normalize_path),
  one('slashes', 'warning envoy.merge_slashes', ({ manager }) => (manager.merge_slashes = false)),
  one('escaped', 'warning envoy.escaped_slashes', ({ manager }) => {
    manager.path_with_escaped_slashes_action = 'KEEP_UNCHANGED';
  }),
  one('underscores', 'warning envoy.underscores', ({ manager }) => {
    manager.common_http_protocol_options.headers_with_underscores_action = 'ALLOW';
  }),
  one('body-first', 'info envoy.body_first', ({ manager }) => delete manager.proxy_100_continue),
  one('forwarded', 'warning envoy.client_address', ({ manager }) => delete manager.use_remote_address),
  one('hops', 'info envoy.trusted_hops', ({ manager }) => (manager.xff_num_trusted_hops = 2)),
  one('route-off', 'warning envoy.route_disabled', ({ host }) => off(host.routes[3])),
  one('host-off', 'error envoy.route_disabled', ({ host }) => off(host)),
  one('routes-off', 'error envoy.route_disabled', ({ manager }) => off(manager.route_config)),
  one('generic-off', 'warning envoy.route_disabled', ({ host }) => {
    const type = 'type.googleapis.com/envoy.config.route.v3.FilterConfig';
    const config = { '@type': type, disabled: true };
    host.routes[0].typed_per_filter_config = { 'envoy.filters.http.ext_authz': config };
  }),
  one('split-off', 'warning envoy.route_disabled', ({ host }) => {
    const target = { name: 'upstream', weight: 1 };
    off(target);
    host.routes[5].route = { weighted_clusters: { clusters: [target] } };
  }),
  {
    name: 'answered-off',
    change({ host }) {
      const answer = plain({ direct_response: { status: 404 } });
      off(answer);
      host.routes = [plain({ match: { path: '/a' }, ...toUpstream }), answer];
    },
    finds: [],
  },
  one('route-body', 'warning envoy.body', ({ host }) => {
    const check_settings = { with_request_body: { max_request_bytes: 9 } };
    host.routes[5].typed_per_filter_config = { 'envoy.filters.http.ext_authz': perRoute({ check_settings }) };
  }),
  one('route-service', 'info envoy.route_service', ({ host, cluster }) => {
    const check_settings = { grpc_service: { envoy_grpc: { cluster_name: cluster.name } } };
    host.routes[5].typed_per_filter_config = { 'envoy.filters.http.ext_authz': perRoute({ check_settings }) };
  }),
  one('http1', 'error envoy.http2', ({ cluster }) => delete cluster.typed_extension_protocol_options),
  one('no-keepalive', 'warning envoy.keepalive', ({ cluster }) => {
    const [options] = Object.values<any>(cluster.typed_extension_protocol_options);
    options.explicit_http_config.http2_protocol_options = {};
  }),
  one('least', 'warning envoy.least_request', ({ cluster }) => (cluster.lb_policy = 'LEAST_REQUEST')),
  one('few-retries', 'warning envoy.max_retries', ({ cluster }) => delete cluster.circuit_breakers),
  {
    name: 'budget',
    change: ({ cluster }) => (cluster.circuit_breakers.thresholds = [{ retry_budget: {} }]),
    finds: [],
  },
  one('slow-connect', 'warning envoy.connect_timeout', ({ cluster }) => delete cluster.connect_timeout),
  one('cleartext', 'warning envoy.cleartext', ({ cluster }) => {
    cluster.type = 'STATIC';
    endpoint(cluster).address.socket_address.address = '192.0.2.1';
  }),
  {
    name: 'socket',
    change({ cluster }) {
      cluster.type = 'STATIC';
      delete cluster.connect_timeout;
      endpoint(cluster).address = { pipe: { path: '/run/postern.sock' } };
    },
    finds: [],
  },
  {
    name: 'all-at-once',
    change({ check, manager, cluster }) {
      check.failure_mode_allow = true;
      manager.normalize_path = false;
      cluster.lb_policy = 'LEAST_REQUEST';
    },
    finds: ['error envoy.fail_open', 'error envoy.normalize_path', 'warning envoy.least_request'],
  },
];

function one(name: string, finding: string, change: (parts: Parts) => unknown): Case {
  return { name, change: (parts) => void change(parts), finds: [finding] };
}

function endpoint(cluster: any): any {
  return cluster.load_assignment.endpoints[0].lb_endpoints[0].endpoint;
}

function metadata(filter: string) {
  return { filter, path: [{ key: 'a' }], value: { present_match: true } };
}

/** The same filter, but not for requests with a certain header. */
function skippedFor(typed_config: object) {
  const input = 'type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput';
  const skip = 'type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter';
  const action = { name: 'skip', typed_config: { '@type': skip } };
  return {
    '@type': 'type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher',
    extension_config: { name: 'envoy.filters.http.ext_authz', typed_config },
    xds_matcher: {
      matcher_tree: {
        input: { name: 'header', typed_config: { '@type': input, header_name: 'a' } },
        exact_match_map: { map: { b: { action } } },
      },
    },
  };
}

function healthCheck(pass_through_mode: boolean) {
  const type = 'type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck';
  const headers = [{ name: ':path', string_match: { exact: '/healthz' } }];
  return {
    name: 'envoy.filters.http.health_check',
    typed_config: { '@type': type, pass_through_mode, headers },
  };
}

const cache = {
  name: 'envoy.filters.http.cache',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.cache.v3.CacheConfig',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.http.cache.simple_http_cache.v3.SimpleHttpCacheConfig',
    },
  },
};
