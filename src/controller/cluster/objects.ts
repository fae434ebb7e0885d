/** What Kubernetes says of any object. */
export interface Metadata {
  readonly name: string;
  /** Absent for what belongs to the whole cluster. */
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Changes with `spec`; not every kind has one. */
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
}

export interface ClusterObject {
  readonly metadata: Metadata;
  readonly spec?: unknown;
  readonly status?: unknown;
}

export interface Secret extends ClusterObject {
  readonly type?: string;
  readonly immutable?: boolean;
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>;
}

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

export const group = 'postern.dev';
export const apiVersion = `${group}/v1alpha1`;
const base = `/apis/${apiVersion}`;

/** A kind of ours: how its path and its people call it. */
export interface Kind {
  readonly kind: string;
  readonly plural: string;
  readonly isNamespaced: boolean;
}

export const apiKeyKind: Kind = { kind: 'ApiKey', plural: 'apikeys', isNamespaced: true };
export const ownerKind: Kind = { kind: 'ApiKeyOwner', plural: 'apikeyowners', isNamespaced: false };
export const roleKind: Kind = { kind: 'ApiKeyRole', plural: 'apikeyroles', isNamespaced: false };

/** The name of an object among those of its kind: `NAMESPACE/NAME`, or `NAME`. */
export function nameOf({ metadata: { namespace, name } }: Pick<ClusterObject, 'metadata'>): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** Where all objects of a kind are; those of one namespace where one is given. */
export function collectionPath({ plural, isNamespaced }: Kind, namespace: string | null): string {
  return isNamespaced && namespace !== null
    ? `${base}/namespaces/${encodeURIComponent(namespace)}/${plural}`
    : `${base}/${plural}`;
}

/** Where an object is, by its {@link nameOf}. */
export function objectPath(kind: Kind, name: string): string {
  const [namespace = '', inNamespace] = name.split('/');
  const path = collectionPath(kind, inNamespace === undefined ? null : namespace);
  return `${path}/${encodeURIComponent(inNamespace ?? namespace)}`;
}

/** Where the Secrets of a namespace are; all of them where none is given. */
export function secretsPath(namespace: string | null): string {
  return namespace === null
    ? '/api/v1/secrets'
    : `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`;
}

/** Where the Events of a namespace are. */
export function eventsPath(namespace: string): string {
  return `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/events`;
}

export function secretPath(namespace: string, name: string): string {
  return `${secretsPath(namespace)}/${encodeURIComponent(name)}`;
}
