import { type Document, parseDocument, type YAMLMap, YAMLSeq } from 'yaml';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What may differ from envoy.yaml as it is shipped. Whatever is left out stays as the file has it. */
export interface EnvoySettings {
  /** 0 lets the system choose. */
  readonly listenPort?: number;
  /** 0 lets the system choose. */
  readonly adminPort?: number;
  /** Where Postern answers Checks: one replica or several. */
  readonly checkAddress?: Address | readonly Address[];
  readonly upstreamAddress?: Address;
  /** For all tries of one Check together. */
  readonly checkTimeoutMs?: number;
  readonly failureModeAllow?: boolean;
  /** An HTTP status; `null` takes the setting out, which leaves Envoy's own default of 403. */
  readonly statusOnError?: number | null;
  readonly encodeRawHeaders?: boolean;
}

const LISTENER = ['static_resources', 'listeners', 0];
const HTTP_FILTERS = [...LISTENER, 'filter_chains', 0, 'filters', 0, 'typed_config', 'http_filters'];

/**
 * Returns the text of the shipped envoy.yaml with these settings in it, comments kept.
 * Throws where the text has no place for one of them.
 */
export function configureEnvoy(yamlText: string, settings: EnvoySettings): string {
  const document = parseDocument(yamlText);
  if (document.errors[0]) throw document.errors[0];

  const port = ['address', 'socket_address', 'port_value'];
  set(document, [...LISTENER, ...port], settings.listenPort);
  set(document, ['admin', ...port], settings.adminPort);
  setEndpoints(document, 'postern', settings.checkAddress);
  setEndpoints(document, 'upstream', settings.upstreamAddress);

  const filter = [...named(document, HTTP_FILTERS, 'envoy.filters.http.ext_authz'), 'typed_config'];
  set(document, [...filter, 'failure_mode_allow'], settings.failureModeAllow);
  set(document, [...filter, 'encode_raw_headers'], settings.encodeRawHeaders);
  if (settings.statusOnError === null) document.deleteIn([...filter, 'status_on_error']);
  else set(document, [...filter, 'status_on_error', 'code'], settings.statusOnError);
  if (settings.checkTimeoutMs !== undefined) {
    set(document, [...filter, 'grpc_service', 'timeout'], `${settings.checkTimeoutMs / 1000}s`);
    // It bounds each try as well: two fit, as in the file.
    const perTry = `${(settings.checkTimeoutMs * 0.4) / 1000}s`;
    set(document, [...filter, 'grpc_service', 'retry_policy', 'retry_back_off', 'max_interval'], perTry);
  }
  return document.toString({ lineWidth: 0 });
}

type Path = readonly (string | number)[];

function set(document: Document, path: Path, value: unknown): void {
  if (value === undefined) return;
  if (!document.hasIn(path)) throw new Error(`Envoy's configuration has no ${path.join('.')}`);
  document.setIn(path, value);
}

function setEndpoints(document: Document, cluster: string, addresses?: Address | readonly Address[]): void {
  if (addresses === undefined) return;
  const path = [
    ...named(document, ['static_resources', 'clusters'], cluster),
    ...['load_assignment', 'endpoints', 0, 'lb_endpoints'],
  ];
  const endpoints = [addresses].flat().map(({ host, port }) => ({
    endpoint: { address: { socket_address: { address: host, port_value: port } } },
  }));
  set(document, path, document.createNode(endpoints));
}

/** The path of the list's entry that has this `name`. */
function named(document: Document, list: Path, name: string): Path {
  const entries = document.getIn(list);
  const index =
    entries instanceof YAMLSeq
      ? entries.items.findIndex((entry) => (entry as YAMLMap).get('name') === name)
      : -1;
  if (index < 0) throw new Error(`Envoy's configuration has no ${name} in ${list.join('.')}`);
  return [...list, index];
}
