import { error, type Finding, info, warning } from '../../store/diagnosis/finding.ts';
import { isThere, isTrueAt, numberAt, textAt } from '../files/json-tree.ts';
import type { HttpEntrance } from './envoy-dump.ts';

const guide = 'https://www.envoyproxy.io/docs/envoy/latest/configuration/best_practices/edge';

/** What is wrong with how requests are read before a Check, and where the caller's address comes from. */
export function entranceFindings({ where, manager, direction }: HttpEntrance): Finding[] {
  const found = [...pathFindings(manager), ...nameFindings(manager), ...bodyFindings(manager)];
  // Inside a mesh the address comes from those who passed the request on.
  if (direction !== 'INBOUND') found.push(...addressFindings(manager));
  return found.map((finding) => ({ ...finding, where }));
}

function pathFindings(manager: unknown): Finding[] {
  const findings: Finding[] = [];
  if (!isTrueAt(manager, 'normalize_path')) {
    const what =
      'Paths are matched as they were sent: /open/../secret takes the route, and the rights, of /open.';
    findings.push(error('envoy.normalize_path', what, 'normalize_path: true'));
  }
  if (!isTrueAt(manager, 'merge_slashes')) {
    const what =
      'Repeated slashes are left: //secret does not take the route of /secret, and may reach it upstream.';
    findings.push(warning('envoy.merge_slashes', what, 'merge_slashes: true'));
  }
  const escaped = textAt(manager, 'path_with_escaped_slashes_action');
  if (!['REJECT_REQUEST', 'UNESCAPE_AND_REDIRECT', 'UNESCAPE_AND_FORWARD'].includes(escaped)) {
    const what = '%2F and %5C in a path are passed on: they may mean one path to Envoy and another upstream.';
    findings.push(warning('envoy.escaped_slashes', what, 'path_with_escaped_slashes_action: REJECT_REQUEST'));
  }
  return findings;
}

function nameFindings(manager: unknown): Finding[] {
  const action = textAt(manager, 'common_http_protocol_options', 'headers_with_underscores_action');
  if (action === 'REJECT_REQUEST' || action === 'DROP_HEADER') return [];
  const what =
    'Headers with underscores are passed on: x_postern_owner from a client reaches an upstream that reads _ as -.';
  const cure = 'common_http_protocol_options: { headers_with_underscores_action: REJECT_REQUEST }';
  return [warning('envoy.underscores', what, cure)];
}

function bodyFindings(manager: unknown): Finding[] {
  if (isTrueAt(manager, 'proxy_100_continue')) return [];
  const what =
    'A client that waits with its body (Expect: 100-continue) is told by Envoy to send it, before the Check and without a key too.';
  const cure = 'proxy_100_continue: true, where the upstream answers 100 Continue itself.';
  return [info('envoy.body_first', what, cure)];
}

function addressFindings(manager: unknown): Finding[] {
  const hops = numberAt(manager, 'xff_num_trusted_hops');
  if (isThere(manager, 'original_ip_detection_extensions')) return [];
  if (!isTrueAt(manager, 'use_remote_address')) {
    const what =
      "The caller's address is taken from x-forwarded-for, which a client writes: allowlists can be passed by it.";
    const cure = `use_remote_address: true, with xff_num_trusted_hops for the proxies of yours in front (${guide}).`;
    return [warning('envoy.client_address', what, cure)];
  }
  if (hops === 0) return [];
  const what = `The caller's address is the one that ${hops} ${hops === 1 ? 'proxy' : 'proxies'} in front of this Envoy wrote into x-forwarded-for.`;
  const cure =
    'If there are fewer of yours, lower xff_num_trusted_hops: a client could write its own address. Checks are told the address of the connection all the same, unless a header says this one (check.address_header, docs/recipes/client-addresses.md).';
  return [info('envoy.trusted_hops', what, cure)];
}
