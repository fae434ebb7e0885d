import type { Container, PodSpec } from './chart.ts';

/**
 * What keeps a pod out of a namespace that enforces the restricted profile of Kubernetes' Pod Security Standards, and
 * out of what we ask besides: a root file system that is read-only, and no token of the API server.
 */
export function insecurities(pod: PodSpec): string[] {
  const problems = [
    ...['hostNetwork', 'hostPID', 'hostIPC'].filter((field) => pod[field]),
    ...(pod.automountServiceAccountToken === false ? [] : ['has a token of the API server']),
    ...(pod.volumes ?? []).filter((volume) => !ofAllowedKind(volume)).map(({ name }) => `volume ${name}`),
  ];
  const containers = [...pod.containers, ...(pod.initContainers ?? [])];
  return [...problems, ...containers.flatMap((container) => ofContainer(container, pod))];
}

const VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

function ofAllowedKind(volume: { readonly [source: string]: unknown }): boolean {
  return Object.keys(volume).every((member) => member === 'name' || VOLUMES.includes(member));
}

function ofContainer({ name, securityContext = {}, ports = [] }: Container, pod: PodSpec): string[] {
  const context: Record<string, unknown> = { ...pod.securityContext, ...securityContext };
  const { drop, add } = (context.capabilities ?? {}) as { drop?: string[]; add?: string[] };
  const { type } = (context.seccompProfile ?? {}) as { type?: string };
  const held: [promise: string, isHeld: boolean][] = [
    ['runs as root', context.runAsNonRoot === true && context.runAsUser !== 0],
    ['may gain privileges', context.allowPrivilegeEscalation === false && context.privileged !== true],
    ['keeps capabilities', drop?.includes('ALL') === true && (add ?? []).length === 0],
    ['has no seccomp profile', type === 'RuntimeDefault' || type === 'Localhost'],
    ['can write its root', context.readOnlyRootFilesystem === true],
    ['takes ports of the node', ports.every((port) => !('hostPort' in port))],
  ];
  return held.filter(([, isHeld]) => !isHeld).map(([promise]) => `${name} ${promise}`);
}
