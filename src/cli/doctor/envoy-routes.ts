import { error, type Finding, info, warning } from '../../store/diagnosis/finding.ts';
import { at, entriesAt, isThere, isTrueAt, listAt, textAt } from '../files/json-tree.ts';
import type { EnvoyConfiguration, HttpEntrance } from './envoy-dump.ts';
import { message } from './envoy-dump.ts';
import { withBody } from './envoy-filter.ts';

/** A part of a route configuration that may say something of the filter. */
interface RoutePart {
  readonly where: string;
  /** How much of the traffic it is about. */
  readonly extent: 'many' | 'one';
  readonly overrides: unknown;
}

/** Where routes take back what the filter of that name does. */
export function routeFindings(
  filterName: string,
  entrance: HttpEntrance,
  configuration: EnvoyConfiguration,
): Finding[] {
  const { routes, unseen } = routesOf(entrance, configuration);
  const isOn = (part: RoutePart) => at(part.overrides, filterName);
  return [
    ...unseen.map((name) => routesUnseen(name, entrance)),
    ...routes
      .flatMap(partsOf)
      .filter((part) => isOn(part) !== undefined)
      .flatMap((part) => overrideFindings(part, isOn(part))),
  ];
}

function routesOf(
  { manager }: HttpEntrance,
  { routes }: EnvoyConfiguration,
): { readonly routes: readonly unknown[]; readonly unseen: readonly string[] } {
  if (isThere(manager, 'route_config')) return { routes: [at(manager, 'route_config')], unseen: [] };
  // Which scope a request is in only Envoy knows: it may be any.
  if (isThere(manager, 'scoped_routes')) return { routes: [...routes.values()], unseen: [] };
  const name = textAt(manager, 'rds', 'route_config_name');
  const found = routes.get(name);
  return found === undefined ? { routes: [], unseen: [name] } : { routes: [found], unseen: [] };
}

function routesUnseen(name: string, { where }: HttpEntrance): Finding {
  const what = `The routes ${name} are not in this configuration, so nobody looked whether they skip the Check.`;
  const cure = 'Take the dump while Envoy has its routes: curl -s http://127.0.0.1:9901/config_dump.';
  return info('envoy.routes_unseen', what, cure, where);
}

function partsOf(routes: unknown): RoutePart[] {
  const top = `routes ${textAt(routes, 'name') || 'without a name'}`;
  return [
    part(top, 'many', routes),
    ...listAt(routes, 'virtual_hosts').flatMap((host) => {
      const hostName = `${top}, virtual host ${textAt(host, 'name') || 'without a name'}`;
      return [
        part(hostName, 'many', host),
        ...listAt(host, 'routes')
          .filter(reachesUpstream)
          .flatMap((route) => {
            const routeName = `${hostName}, route ${nameOfRoute(route)}`;
            const targets = listAt(route, 'route', 'weighted_clusters', 'clusters');
            return [
              part(routeName, 'one', route),
              ...targets.map((target) =>
                part(`${routeName}, cluster ${textAt(target, 'name')}`, 'one', target),
              ),
            ];
          }),
      ];
    }),
  ];
}

function part(where: string, extent: RoutePart['extent'], node: unknown): RoutePart {
  return { where, extent, overrides: at(node, 'typed_per_filter_config') };
}

/** Not one that Envoy answers by itself. */
function reachesUpstream(route: unknown): boolean {
  return !isThere(route, 'direct_response') && !isThere(route, 'redirect');
}

function nameOfRoute(route: unknown): string {
  const matches = entriesAt(route, 'match').filter(([name]) =>
    ['prefix', 'path', 'path_separated_prefix', 'pathSeparatedPrefix'].includes(name),
  );
  const regex = textAt(route, 'match', 'safe_regex', 'regex');
  const path = String(matches[0]?.[1] ?? (regex || ''));
  return [path, textAt(route, 'name')].filter(Boolean).join(' ') || 'without a path';
}

function overrideFindings({ where, extent }: RoutePart, override: unknown): Finding[] {
  const { type, settings } = message(override);
  const isWrapped = type === 'FilterConfig';
  const inner =
    isWrapped && isThere(settings, 'config') ? message(at(settings, 'config')).settings : settings;
  const isDisabled = isTrueAt(inner, 'disabled') || (isWrapped && isTrueAt(settings, 'disabled'));
  const findings: Finding[] = [];
  if (isDisabled) {
    const what =
      'Requests reach the upstream without a Check, with whatever x-postern-* headers a client sends.';
    const cure = `In place of \`disabled: true\`, where no key is needed:
check_settings: { context_extensions: { public: "true" } }`;
    const level = extent === 'many' ? error : warning;
    findings.push(level('envoy.route_disabled', what, cure, where));
  }
  if (textAt(inner, 'check_settings', 'context_extensions', 'mode') === 'observe') {
    const what = 'These requests are only observed: allowed, whatever Postern finds (context_extensions).';
    findings.push(
      info('envoy.route_observed', what, 'When nobody who may call would be denied, mode: "enforce".', where),
    );
  }
  if (isThere(inner, 'check_settings', 'with_request_body')) findings.push({ ...withBody, where });
  if (isThere(inner, 'check_settings', 'grpc_service')) {
    const what = 'The route asks a service of its own, which was not looked at.';
    findings.push(
      info('envoy.route_service', what, 'See that it is Postern, with a timeout and retries.', where),
    );
  }
  return findings;
}
