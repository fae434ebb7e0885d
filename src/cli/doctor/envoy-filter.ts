import { error, type Finding, info, warning } from '../../store/diagnosis/finding.ts';
import { at, durationAt, isThere, isTrueAt, listAt, numberAt, textAt } from '../files/json-tree.ts';
import type { HttpEntrance, HttpFilter } from './envoy-dump.ts';

const timeoutMs = { default: 200, most: 5_000 };
/** A try that ends sooner may end before a busy Postern has answered. */
const tryMsMin = 200;

/** What is wrong with one ext_authz filter, and with where it stands among the others. */
export function filterFindings(
  filter: HttpFilter,
  { where, filters }: HttpEntrance,
  credentialHeaders: readonly string[],
): Finding[] {
  const found = [
    ...opennessFindings(filter),
    ...statusFindings(filter.settings),
    ...serviceFindings(filter.settings),
    ...headerFindings(filter.settings, credentialHeaders),
    ...requestFindings(filter.settings),
    ...orderFindings(filter, filters),
  ];
  return found.map((finding) => ({ ...finding, where }));
}

/** Whatever allows a request without an answer of Postern's. */
function opennessFindings({ settings, isDisabled, isConditional }: HttpFilter): Finding[] {
  const findings: Finding[] = [];
  if (isTrueAt(settings, 'failure_mode_allow')) {
    const what =
      'While Postern is away every request is allowed, with no key asked for (failure_mode_allow).';
    findings.push(error('envoy.fail_open', what, 'failure_mode_allow: false'));
  }
  if (isTrueAt(settings, 'shadow_mode')) {
    const what =
      "Envoy asks Postern and follows no answer (shadow_mode): every request goes on as the client sent it, x-postern-* headers of its own too, limits are spent, and Postern counts denials that nobody met. Postern's own observe mode takes those headers away, spends no limit and counts apart (docs/rollout.md).";
    findings.push(
      info('envoy.shadow_mode', what, 'shadow_mode: false, and `mode: observe` in the settings of Postern.'),
    );
  }
  if (isDisabled) {
    const what = 'The ext_authz filter is switched off for all routes that do not switch it on.';
    findings.push(error('envoy.filter_disabled', what, 'Remove `disabled: true` from the filter.'));
  }
  if (isConditional) {
    const what = 'A matcher decides which requests Postern is asked about; the others pass.';
    const cure =
      'Ask about every request, and say `public: "true"` in context_extensions where no key is needed.';
    findings.push(warning('envoy.conditional', what, cure));
  }
  return [...findings, ...partialFindings(settings)];
}

function partialFindings(settings: unknown): Finding[] {
  const rest = isTrueAt(settings, 'deny_at_disable', 'default_value');
  const findings: Finding[] = [];
  const percent = percentOf(at(settings, 'filter_enabled'));
  if (percent < 100) {
    const tail = rest ? 'the rest is refused (deny_at_disable)' : 'the rest is allowed';
    const what = `Postern is asked about ${percent} % of the requests, ${tail} (filter_enabled).`;
    const cure = 'filter_enabled: { default_value: { numerator: 100 } }\nor leave filter_enabled out.';
    findings.push((rest ? warning : error)('envoy.partial', what, cure));
  }
  if (isThere(settings, 'filter_enabled_metadata')) {
    const isIstio = textAt(settings, 'filter_enabled_metadata', 'filter') === 'envoy.filters.http.rbac';
    const what = isIstio
      ? 'Postern is asked about what an AuthorizationPolicy with action CUSTOM selects, and nothing else.'
      : 'Postern is asked only about requests with certain metadata, the others are allowed (filter_enabled_metadata).';
    const cure = isIstio
      ? 'See that its rules select every path that needs a key; a policy without rules selects none.'
      : 'Leave filter_enabled_metadata out, or set deny_at_disable: { default_value: true, runtime_key: ext_authz.deny }.';
    findings.push((isIstio || rest ? info : error)('envoy.by_metadata', what, cure));
  }
  return findings;
}

const denominators: Readonly<Record<string, number>> = { TEN_THOUSAND: 10_000, MILLION: 1_000_000 };

function percentOf(fraction: unknown): number {
  const value = at(fraction, 'default_value');
  if (value === undefined) return 100;
  return (numberAt(value, 'numerator') * 100) / (denominators[textAt(value, 'denominator')] ?? 100);
}

const serverErrors = ['ServiceUnavailable', 'InternalServerError', 'BadGateway', 'GatewayTimeout'];

function statusFindings(settings: unknown): Finding[] {
  const code = at(settings, 'status_on_error', 'code');
  if (serverErrors.includes(String(code)) || Number(code) >= 500) return [];
  const told =
    typeof code === 'string' && code !== '' ? code : typeof code === 'number' ? String(code) : '403';
  const what = `While Postern is away callers are told ${told}, which hides the outage: clients take their key for a bad one.`;
  return [warning('envoy.status_on_error', what, 'status_on_error: { code: ServiceUnavailable }')];
}

const retries = `grpc_service:
  timeout: 0.5s
  retry_policy:
    retry_on: connect-failure,refused-stream,reset,unavailable
    num_retries: 3
    retry_back_off: { base_interval: 0.005s, max_interval: 0.2s }`;

function serviceFindings(settings: unknown): Finding[] {
  if (isThere(settings, 'http_service')) {
    const what = 'The filter asks over HTTP (http_service); Postern answers gRPC alone.';
    return [error('envoy.http_service', what, 'grpc_service: { envoy_grpc: { cluster_name: postern } }')];
  }
  const service = at(settings, 'grpc_service');
  if (isThere(service, 'google_grpc')) {
    const what =
      'The filter asks by google_grpc, which has no cluster: retries, balancing and keepalive cannot be set or looked at.';
    return [warning('envoy.google_grpc', what, 'grpc_service: { envoy_grpc: { cluster_name: postern } }')];
  }
  return [...timeoutFindings(durationAt(service, 'timeout')), ...retryFindings(service)];
}

function timeoutFindings(given: number | null): Finding[] {
  const code = 'envoy.timeout';
  const cure = 'grpc_service: { timeout: 0.5s }';
  if (given === null) {
    const what = `A Check may take Envoy's default of ${timeoutMs.default} ms, all tries together: too little to try another replica.`;
    return [warning(code, what, cure)];
  }
  if (given > 0 && given <= timeoutMs.most) return [];
  const bound = given > 0 ? `${given / 1_000} s` : 'as long as it likes';
  return [warning(code, `A Check may take ${bound}: requests pile up while Postern hangs.`, cure)];
}

function retryFindings(service: unknown): Finding[] {
  const policy = at(service, 'retry_policy');
  if (policy === undefined || textAt(policy, 'retry_on') === '') {
    const isInside = isThere(service, 'envoy_grpc', 'retry_policy');
    const what = isInside
      ? 'The retry_policy stands inside envoy_grpc, where it has no effect: each loss of a replica costs requests.'
      : 'Nothing is tried again: each loss of a replica costs requests.';
    return [warning('envoy.retries', what, retries)];
  }
  const base = durationAt(policy, 'retry_back_off', 'base_interval');
  const most = durationAt(policy, 'retry_back_off', 'max_interval') ?? (base ?? 25) * 10;
  if (most >= tryMsMin) return [];
  const what = `retry_back_off bounds each try too: it is cut off after ${most} ms (max_interval, ten times base_interval unless it is set).`;
  return [
    warning('envoy.retry_back_off', what, 'retry_back_off: { base_interval: 0.005s, max_interval: 0.2s }'),
  ];
}

function headerFindings(settings: unknown, credentialHeaders: readonly string[]): Finding[] {
  const findings: Finding[] = [];
  if (!isTrueAt(settings, 'encode_raw_headers')) {
    const what =
      'Repeated headers reach Postern joined by commas, as one: two keys cannot always be told from one.';
    findings.push(warning('envoy.raw_headers', what, 'encode_raw_headers: true'));
  }
  const lost = credentialHeaders.filter((name) => !isSent(settings, name));
  if (lost.length > 0) {
    const what = `Postern is not sent ${lost.join(', ')}: a key in there counts as missing (allowed_headers, disallowed_headers).`;
    const patterns = lost.map((name) => `{ exact: ${name} }`).join(', ');
    const cure = `allowed_headers: { patterns: [${patterns}] }\nor leave both lists out.`;
    findings.push((lost.length === credentialHeaders.length ? error : warning)('envoy.headers', what, cure));
  }
  return findings;
}

function isSent(settings: unknown, header: string): boolean {
  const matches = (list: string) =>
    listAt(settings, list, 'patterns').some((pattern) => fits(pattern, header));
  const isAllowed = !isThere(settings, 'allowed_headers') || matches('allowed_headers');
  return isAllowed && !matches('disallowed_headers');
}

/** A StringMatcher; one that cannot be judged fits. */
function fits(pattern: unknown, text: string): boolean {
  const given = (name: string) => {
    const value = at(pattern, name);
    return typeof value === 'string'
      ? isTrueAt(pattern, 'ignore_case')
        ? value.toLowerCase()
        : value
      : null;
  };
  const [exact, prefix, suffix, part] = ['exact', 'prefix', 'suffix', 'contains'].map(given);
  if (exact != null) return text === exact;
  if (prefix != null) return text.startsWith(prefix);
  if (suffix != null) return text.endsWith(suffix);
  if (part != null) return text.includes(part);
  return true;
}

function requestFindings(settings: unknown): Finding[] {
  const findings: Finding[] = [];
  if (isThere(settings, 'with_request_body')) findings.push(withBody);
  if (isTrueAt(settings, 'clear_route_cache')) {
    const what =
      'After a Check the route is chosen anew: a header that was set may pick another route than the one that was checked.';
    findings.push(warning('envoy.clear_route_cache', what, 'clear_route_cache: false'));
  }
  const rules = 'decoder_header_mutation_rules';
  if (isThere(settings, rules) && !isTrueAt(settings, rules, 'allow_all_routing')) {
    const what = `${rules} keeps Postern from writing the path: a key in a query reaches the upstream.`;
    findings.push(
      warning('envoy.header_mutations', what, `allow_all_routing: true in ${rules}, or leave it out`),
    );
  }
  return findings;
}

export const withBody = warning(
  'envoy.body',
  'Bodies are held back and sent to Postern, which does not read them: it costs memory and time, and a Check of more than 16 MiB is refused.',
  'Leave with_request_body out, or keep max_request_bytes at 8 MiB or less.',
);

/** Filters that answer by themselves, and what that means when they stand before the Check. */
const answering: ReadonlyMap<string, Finding['level']> = new Map([
  ['CacheConfig', 'error'],
  ['CacheV2Config', 'error'],
  ['HealthCheck', 'info'],
]);

function orderFindings(filter: HttpFilter, filters: readonly HttpFilter[]): Finding[] {
  return filters.slice(0, filters.indexOf(filter)).flatMap(({ name, type, settings }) => {
    const level = answering.get(type);
    if (level === undefined || isTrueAt(settings, 'pass_through_mode')) return [];
    const what = `The filter ${name} stands before ext_authz, and answers requests that nobody has checked.`;
    return [{ level, code: 'envoy.order', where: null, what, cure: 'Put ext_authz before it.' }];
  });
}
