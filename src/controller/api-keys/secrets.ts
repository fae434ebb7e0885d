import { type Cluster, ClusterError } from '../cluster/cluster.ts';
import {
  apiKeyKind,
  apiVersion,
  type ClusterObject,
  type Secret,
  secretPath,
  secretsPath,
} from '../cluster/objects.ts';
import { uidLabel } from './spec.ts';

/** The entry of a Secret that holds the key. */
const entry = 'key';
/** By it the Secrets of ApiKeys are watched. */
export const managedBy = { 'app.kubernetes.io/managed-by': 'postern-controller' };

const presentedLengthMax = 4_096;

/** The Secrets that hold the keys of ApiKeys. Throws a `ClusterError`. */
export interface KeySecrets {
  read(namespace: string, name: string): Promise<Secret | null>;
  /**
   * Puts a secret into the Secret of an ApiKey: into `found`, or with null into a new one. What else is in it stays.
   * Refused where it was changed since it was read. A dry run says whether it would be taken.
   */
  write(
    apiKey: ClusterObject,
    name: string,
    found: Secret | null,
    value: string,
    isDryRun?: boolean,
  ): Promise<void>;
}

export function createKeySecrets(cluster: Cluster): KeySecrets {
  return {
    async read(namespace, name) {
      try {
        return (await cluster.call('GET', secretPath(namespace, name))) as Secret;
      } catch (error) {
        if (error instanceof ClusterError && error.status === 404) return null;
        throw error;
      }
    },
    async write(apiKey, name, found, value, isDryRun = false) {
      const { namespace = '' } = apiKey.metadata;
      const body = secretOf(apiKey, name, found, value);
      const query = isDryRun ? '?dryRun=All' : '';
      if (found === null) await cluster.call('POST', secretsPath(namespace) + query, body);
      else await cluster.call('PUT', secretPath(namespace, name) + query, body);
    },
  };
}

/** Whether a Secret was made for this ApiKey, and for no earlier one of its name. */
export function isOurs({ metadata }: Secret, { metadata: { uid } }: ClusterObject): boolean {
  return isOwned({ metadata }, uid) || metadata.labels?.[uidLabel] === uid;
}

/** Whether somebody took away what says whose the Secret is. */
export function isUnmarked({ metadata }: Secret, { metadata: { uid } }: ClusterObject): boolean {
  const marks = Object.entries({ ...managedBy, [uidLabel]: uid });
  return !isOwned({ metadata }, uid) || marks.some(([name, value]) => metadata.labels?.[name] !== value);
}

/** What is in the Secret that may be a key; null for what cannot be one. */
export function keyIn({ data = {} }: Secret): string | null {
  const value = Buffer.from(data[entry] ?? '', 'base64').toString();
  return value === '' || value.length > presentedLengthMax ? null : value;
}

function isOwned({ metadata }: Pick<Secret, 'metadata'>, uid: string): boolean {
  return (metadata.ownerReferences ?? []).some((reference) => reference.uid === uid);
}

function secretOf({ metadata: owner }: ClusterObject, name: string, found: Secret | null, value: string) {
  const { namespace, uid } = owner;
  const reference = { apiVersion, kind: apiKeyKind.kind, name: owner.name, uid, controller: true };
  const others = (found?.metadata.ownerReferences ?? []).filter((other) => other.uid !== uid);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    ...found,
    metadata: {
      ...(found?.metadata ?? { name, namespace }),
      labels: { ...found?.metadata.labels, ...managedBy, [uidLabel]: uid },
      ownerReferences: [...others, reference],
    },
    data: { ...found?.data, [entry]: Buffer.from(value).toString('base64') },
  };
}
