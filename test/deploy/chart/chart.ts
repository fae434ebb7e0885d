import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { KUBE_VERSION } from '../../../scripts/render-kubernetes.ts';
import { type Manifest, manifestsIn } from '../schemas.ts';
import { helm } from '../tools.ts';

const CHART = fileURLToPath(new URL('../../../deploy/helm/postern', import.meta.url));
const binary = await helm();

export type Values = { readonly [name: string]: unknown };

/** The values that an example of the chart gives. */
export function example(name: string): Values {
  return parse(readFileSync(`${CHART}/examples/${name}.yaml`, 'utf8'));
}

/** What the chart makes of the values, with its tests; throws with what Helm said where it refuses them. */
export function renderText(values: Values = {}): string {
  return run(['template', 'postern', CHART, '--namespace', 'keys', '--kube-version', KUBE_VERSION], values);
}

export const render = (values: Values = {}): Manifest[] => manifestsIn(renderText(values));

/** What Helm says of values that it refuses; empty where it takes them. */
export function refusal(values: Values): string {
  try {
    renderText(values);
    return '';
  } catch (error) {
    return (error as { stderr: string }).stderr;
  }
}

/** What Helm's own check finds; throws where it finds a fault. */
export const lint = (values: Values): string => run(['lint', '--strict', CHART], values);

function run(args: readonly string[], values: Values): string {
  return execFileSync(binary, [...args, '--values', '-'], {
    input: stringify(values),
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** The one document of a kind, and of a name where there are several. */
export function one(manifests: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = manifests.filter(
    (manifest) => manifest.kind === kind && (name === undefined || manifest.metadata.name === name),
  );
  const [only] = found;
  if (!only || found.length > 1) throw new Error(`${found.length} ${kind} ${name ?? ''}, and not one`);
  return only;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly restartPolicy?: string;
  readonly env?: readonly { name: string; value?: string }[];
  readonly args?: readonly string[];
  readonly ports?: readonly { name: string; containerPort: number }[];
  readonly volumeMounts?: readonly { name: string; mountPath: string; readOnly?: boolean }[];
  readonly securityContext?: { readonly [field: string]: unknown };
  readonly lifecycle?: { preStop: { sleep: { seconds: number } } };
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
}

export interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string; readonly scheme?: string };
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly { readonly name: string; readonly [source: string]: unknown }[];
  readonly securityContext?: { readonly [field: string]: unknown };
  readonly terminationGracePeriodSeconds: number;
  readonly automountServiceAccountToken?: boolean;
  readonly enableServiceLinks?: boolean;
  readonly [field: string]: unknown;
}

/** The pods that a document makes; none where it makes none. */
export function podsOf(manifest: Manifest): { labels: Record<string, string>; spec: PodSpec }[] {
  type Template = { metadata: { labels: Record<string, string> }; spec: PodSpec };
  if (manifest.kind === 'Pod') {
    const { metadata, spec } = manifest;
    return [{ labels: metadata.labels as Template['metadata']['labels'], spec: spec as PodSpec }];
  }
  const { template } = (manifest.spec ?? {}) as { template?: Template };
  return template ? [{ labels: template.metadata.labels, spec: template.spec }] : [];
}

/** The pod that Postern is in, and its container there. */
export function serverPod(manifests: readonly Manifest[]): {
  labels: Record<string, string>;
  spec: PodSpec;
  container: Container;
} {
  const pods = manifests.filter(({ kind }) => kind !== 'Pod').flatMap(podsOf);
  const [pod] = pods;
  const containers = [...(pod?.spec.initContainers ?? []), ...(pod?.spec.containers ?? [])];
  const container = containers.find(({ name }) => name === 'postern');
  if (!pod || pods.length > 1 || !container) throw new Error('there is not one pod with Postern');
  return { ...pod, container };
}

/** A file of a ConfigMap; empty where it has none of that name. */
export function fileOf(manifests: readonly Manifest[], configMap: string, name: string): string {
  const data = one(manifests, 'ConfigMap', configMap).data as Readonly<Record<string, string>>;
  return data[name] ?? '';
}

/** The settings file of the ConfigMap. */
export const settingsText = (manifests: readonly Manifest[]): string =>
  fileOf(manifests, 'postern', 'postern.yaml');
