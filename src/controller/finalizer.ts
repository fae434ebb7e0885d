import type { Cluster } from './cluster/cluster.ts';
import { type ClusterObject, type Kind, nameOf, objectPath } from './cluster/objects.ts';

/** Keeps an object there until what it stands for is ended. */
const finalizer = 'postern.dev/revoke';

export function hasFinalizer({ metadata: { finalizers = [] } }: ClusterObject): boolean {
  return finalizers.includes(finalizer);
}

export async function addFinalizer(cluster: Cluster, kind: Kind, object: ClusterObject): Promise<void> {
  const { finalizers = [] } = object.metadata;
  if (hasFinalizer(object)) return;
  await patch(cluster, kind, object, [...finalizers, finalizer]);
}

export async function removeFinalizer(cluster: Cluster, kind: Kind, object: ClusterObject): Promise<void> {
  const { finalizers = [] } = object.metadata;
  if (!hasFinalizer(object)) return;
  await patch(
    cluster,
    kind,
    object,
    finalizers.filter((name) => name !== finalizer),
  );
}

/** Refused where the object was changed since it was read: the list is written as a whole. */
async function patch(cluster: Cluster, kind: Kind, object: ClusterObject, finalizers: readonly string[]) {
  const { uid, resourceVersion } = object.metadata;
  await cluster.call('PATCH', objectPath(kind, nameOf(object)), {
    metadata: { uid, resourceVersion, finalizers },
  });
}
