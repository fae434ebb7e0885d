import { error, type Finding, warning } from '../../store/diagnosis/finding.ts';
import { durationAt, textAt } from '../files/json-tree.ts';
import { clusterFindings } from './envoy-cluster.ts';
import {
  type EnvoyConfiguration,
  entrancesOf,
  type HttpEntrance,
  type HttpFilter,
  readConfiguration,
} from './envoy-dump.ts';
import { entranceFindings } from './envoy-entrance.ts';
import { filterFindings } from './envoy-filter.ts';
import { routeFindings } from './envoy-routes.ts';
import type { Examination } from './examination.ts';

const oldestVersion = [1, 38, 4] as const;
const defaultCheckMs = 200;
const filterType = 'ExtAuthz';

const howToDump = 'Take one with: curl -s http://127.0.0.1:9901/config_dump > dump.json';

/**
 * What is wrong with an Envoy's configuration, as its admin endpoint tells it or as its bootstrap file has it.
 * `credentialHeaders` are those that keys may come in, in lower case.
 */
export function examineEnvoy(tree: unknown, credentialHeaders: readonly string[]): Examination {
  const configuration = readConfiguration(tree);
  if (configuration === null) {
    return notLooked(
      'envoy.unreadable',
      'This is not a configuration of an Envoy: neither a config_dump nor a bootstrap file.',
    );
  }
  const entrances = entrancesOf(configuration);
  if (entrances.length === 0) {
    return notLooked('envoy.no_listener', 'This Envoy has no HTTP listener (yet).');
  }
  const guarded = entrances.filter(({ filters }) => filters.some(isCheck));
  if (guarded.length === 0) {
    const what = 'No listener of this Envoy has the ext_authz filter: no request is checked.';
    const cure = 'See http_filters in deploy/envoy/envoy.yaml.';
    return { findings: [error('envoy.no_filter', what, cure)], isComplete: false };
  }
  const findings = [
    ...versionFindings(configuration),
    ...entrances
      .filter((entrance) => !guarded.includes(entrance))
      .flatMap((one) => unguarded(one, configuration)),
    ...guarded.flatMap((entrance) => guardedFindings(entrance, configuration, credentialHeaders)),
  ];
  return { findings: distinct(findings), isComplete: true };
}

function notLooked(code: string, what: string): Examination {
  return { findings: [error(code, what, howToDump)], isComplete: false };
}

function isCheck({ type }: HttpFilter): boolean {
  return type === filterType;
}

function versionFindings({ version }: EnvoyConfiguration): Finding[] {
  if (version === null || compare(version, oldestVersion) >= 0) return [];
  const what = `Envoy ${version.join('.')} is older than ${oldestVersion.join('.')}, and has known holes.`;
  return [warning('envoy.version', what, 'Upgrade it.')];
}

function compare(one: readonly number[], other: readonly number[]): number {
  const at = one.findIndex((part, index) => part !== other[index]);
  return at < 0 ? 0 : (one[at] ?? 0) - (other[at] ?? 0);
}

function unguarded({ where, direction }: HttpEntrance, { isSidecar }: EnvoyConfiguration): Finding[] {
  // What a workload asks of others is checked where it arrives.
  if (isSidecar && direction === 'OUTBOUND') return [];
  const what = 'It has no ext_authz filter, though others have: requests that come in here are not checked.';
  return [
    warning(
      'envoy.unguarded',
      what,
      'Give it the filter, unless it is for Envoy itself, such as for metrics.',
      where,
    ),
  ];
}

function guardedFindings(
  entrance: HttpEntrance,
  configuration: EnvoyConfiguration,
  credentialHeaders: readonly string[],
): Finding[] {
  const checks = entrance.filters.filter(isCheck);
  return [
    ...checks.flatMap((filter) => filterFindings(filter, entrance, credentialHeaders)),
    ...entranceFindings(entrance),
    ...checks.flatMap(({ name }) => routeFindings(name, entrance, configuration)),
    ...checks.flatMap(({ settings }) => {
      const cluster = textAt(settings, 'grpc_service', 'envoy_grpc', 'cluster_name');
      const checkMs = durationAt(settings, 'grpc_service', 'timeout') ?? defaultCheckMs;
      // None at all is no bound.
      return cluster === '' ? [] : clusterFindings(cluster, configuration, checkMs || Infinity);
    }),
  ];
}

/** Many listeners may share routes and a cluster. */
function distinct(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((finding) => [JSON.stringify(finding), finding])).values()];
}
