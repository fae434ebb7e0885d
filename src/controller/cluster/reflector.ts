import { backoffMs, pause } from '../pause.ts';
import { type Cluster, ClusterError, watchMsMax } from './cluster.ts';
import { type ClusterObject, nameOf } from './objects.ts';

/** All objects at a path as they are, give or take a moment. */
export interface Reflector {
  /** By `NAMESPACE/NAME`. */
  readonly objects: ReadonlyMap<string, ClusterObject>;
  /** Follows until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export interface ReflectorOptions {
  readonly path: string;
  readonly labelSelector?: string;
  /** Whether the metadata of each object is enough. */
  readonly isMetadata: boolean;
  /** Something is there, or is otherwise, or (with null) is no more. */
  readonly onChange: (name: string, now: ClusterObject | null, before: ClusterObject | null) => void;
  /** Everything was told that is there; what was gone before it was ever seen is not in `objects`. */
  readonly onListed?: () => void;
  /** The API server could not be asked; it is asked again. */
  readonly onTrouble: (error: unknown) => void;
}

interface Page {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  /** Null where there is none, of a list of metadata. */
  readonly items: readonly ClusterObject[] | null;
}

const pageSize = 500;
const retryMs = { first: 1_000, longest: 30_000 };

/** Lists, then watches from there, and lists again where a watch cannot go on. */
export function createReflector(cluster: Cluster, options: ReflectorOptions): Reflector {
  const { path, labelSelector, isMetadata, onChange, onListed, onTrouble } = options;
  const objects = new Map<string, ClusterObject>();

  return {
    objects,
    async run(signal) {
      let version: string | null = null;
      for (let failures = 0; !signal.aborted; ) {
        try {
          version ??= await list();
          version = await watch(version, signal);
          failures = 0;
        } catch (error) {
          if (signal.aborted) return;
          version = null;
          failures++;
          const isTooOld = error instanceof ClusterError && error.status === 410;
          if (isTooOld && failures === 1) continue;
          onTrouble(error);
          await pause(backoffMs(failures, retryMs), signal);
        }
      }
    },
  };

  /** Returns the version of the whole list. */
  async function list(): Promise<string> {
    const found = new Set<string>();
    let version = '';
    let next: string | undefined;
    do {
      const query = { limit: String(pageSize), ...(next !== undefined && { continue: next }) };
      const at = urlOf(query);
      const page = (isMetadata ? await cluster.metadata(at) : await cluster.call('GET', at)) as Page;
      for (const object of page.items ?? []) {
        found.add(nameOf(object));
        take(object);
      }
      version = page.metadata.resourceVersion;
      next = page.metadata.continue || undefined;
    } while (next !== undefined);
    for (const name of objects.keys()) if (!found.has(name)) drop(name);
    onListed?.();
    return version;
  }

  /** Returns the version up to which everything was told, once the server ends the watch. */
  async function watch(from: string, signal: AbortSignal): Promise<string> {
    let version = from;
    const timeoutSeconds = String(watchMsMax / 1_000);
    const at = urlOf({ watch: 'true', resourceVersion: from, allowWatchBookmarks: 'true', timeoutSeconds });
    for await (const line of cluster.watch(at, { isMetadata, signal })) {
      const { type, object } = JSON.parse(line) as { readonly type: string; readonly object: ClusterObject };
      if (type === 'ERROR') {
        const { code, message } = object as { readonly code?: number; readonly message?: string };
        throw new ClusterError(code ?? null, message ?? 'the watch broke');
      }
      if (type === 'ADDED' || type === 'MODIFIED') take(object);
      if (type === 'DELETED') drop(nameOf(object));
      version = object.metadata.resourceVersion;
    }
    return version;
  }

  function take(object: ClusterObject): void {
    const name = nameOf(object);
    const before = objects.get(name) ?? null;
    objects.set(name, object);
    if (before?.metadata.resourceVersion !== object.metadata.resourceVersion) onChange(name, object, before);
  }

  function drop(name: string): void {
    const before = objects.get(name) ?? null;
    objects.delete(name);
    if (before !== null) onChange(name, null, before);
  }

  function urlOf(query: Readonly<Record<string, string>>): string {
    const selector = labelSelector === undefined ? {} : { labelSelector };
    return `${path}?${new URLSearchParams({ ...query, ...selector })}`;
  }
}
