import { error, type Finding, warning } from '../../store/diagnosis/finding.ts';
import { at, durationAt, isThere, listAt, numberAt, textAt } from '../files/json-tree.ts';
import { type EnvoyConfiguration, message } from './envoy-dump.ts';

const retriesMin = 100;
const connectMs = { default: 5_000 };
const optionsName = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

const http2 = `typed_extension_protocol_options:
  ${optionsName}:
    "@type": type.googleapis.com/${optionsName}
    explicit_http_config:
      http2_protocol_options:
        connection_keepalive: { interval: 5s, timeout: 2s }`;

/** What is wrong with the cluster that an ext_authz filter asks, whose Check may take so long. */
export function clusterFindings(name: string, configuration: EnvoyConfiguration, checkMs: number): Finding[] {
  const cluster = configuration.clusters.get(name);
  if (cluster === undefined) {
    const what = 'The filter asks a cluster that this Envoy does not have: every Check fails.';
    return [error('envoy.cluster_missing', what, 'Define it, or correct cluster_name.', `cluster ${name}`)];
  }
  const found = [
    ...protocolFindings(cluster),
    ...balancingFindings(cluster),
    ...retryFindings(cluster),
    ...connectFindings(cluster, checkMs),
    ...cleartextFindings(cluster, configuration.endpoints.get(name)),
  ];
  return found.map((finding) => ({ ...finding, where: `cluster ${name}` }));
}

function protocolFindings(cluster: unknown): Finding[] {
  const options = at(cluster, 'typed_extension_protocol_options', optionsName);
  const spoken =
    at(options, 'explicit_http_config', 'http2_protocol_options') ??
    at(options, 'auto_config', 'http2_protocol_options') ??
    at(cluster, 'http2_protocol_options');
  if (spoken === undefined) {
    const what = 'It does not speak HTTP/2, which gRPC needs: every Check fails.';
    return [error('envoy.http2', what, http2)];
  }
  if (isThere(spoken, 'connection_keepalive', 'interval')) return [];
  const what = 'Without keepalive a replica that vanished is asked on, until TCP gives up after minutes.';
  return [warning('envoy.keepalive', what, http2)];
}

function balancingFindings(cluster: unknown): Finding[] {
  const policies = listAt(cluster, 'load_balancing_policy', 'policies').map(
    (policy) => message(at(policy, 'typed_extension_config', 'typed_config')).type,
  );
  if (textAt(cluster, 'lb_policy') !== 'LEAST_REQUEST' && policies[0] !== 'LeastRequest') return [];
  const what =
    'LEAST_REQUEST prefers a replica that is gone: it fails at once and so has the fewest requests.';
  return [warning('envoy.least_request', what, 'lb_policy: ROUND_ROBIN')];
}

function retryFindings(cluster: unknown): Finding[] {
  const thresholds = listAt(cluster, 'circuit_breakers', 'thresholds').filter((threshold) =>
    ['', 'DEFAULT'].includes(textAt(threshold, 'priority')),
  );
  if (thresholds.some((threshold) => isThere(threshold, 'retry_budget'))) return [];
  const given = thresholds.find((threshold) => isThere(threshold, 'max_retries'));
  const most = given === undefined ? 3 : numberAt(given, 'max_retries');
  if (most >= retriesMin) return [];
  const what = `${most} Checks at a time may be tried again${given === undefined ? ", Envoy's default" : ''}: fewer than are under way when a replica is lost.`;
  const cure =
    'circuit_breakers: { thresholds: [{ max_retries: 10000, max_requests: 10000, max_pending_requests: 10000 }] }';
  return [warning('envoy.max_retries', what, cure)];
}

function connectFindings(cluster: unknown, checkMs: number): Finding[] {
  const given = durationAt(cluster, 'connect_timeout');
  const bound = given ?? connectMs.default;
  if (bound < checkMs || addressesOf(cluster).every((address) => isThere(address, 'pipe'))) return [];
  const what = `Connecting may take ${bound / 1_000} s, as long as a whole Check: a dead address leaves no time for another.`;
  return [warning('envoy.connect_timeout', what, 'connect_timeout: 0.1s')];
}

function cleartextFindings(cluster: unknown, endpoints: unknown): Finding[] {
  if (isThere(cluster, 'transport_socket') || listAt(cluster, 'transport_socket_matches').length > 0)
    return [];
  const told = [...addressesOf(cluster), ...addressesIn(endpoints)];
  if (!told.some(isRemote)) return [];
  const what = 'Checks go to another machine without TLS: keys can be read on the way, and answers forged.';
  const cure = `Give Postern check.tls, and the cluster a transport_socket:
transport_socket:
  name: envoy.transport_sockets.tls
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
    common_tls_context: { validation_context: { trusted_ca: { filename: /etc/envoy/postern-ca.pem } } }`;
  return [warning('envoy.cleartext', what, cure)];
}

function addressesOf(cluster: unknown): unknown[] {
  return addressesIn(at(cluster, 'load_assignment'));
}

function addressesIn(assignment: unknown): unknown[] {
  return listAt(assignment, 'endpoints')
    .flatMap((locality) => listAt(locality, 'lb_endpoints'))
    .map((endpoint) => at(endpoint, 'endpoint', 'address'));
}

function isRemote(address: unknown): boolean {
  const host = textAt(address, 'socket_address', 'address');
  return host !== '' && host !== 'localhost' && host !== '::1' && !/^127\./.test(host);
}
