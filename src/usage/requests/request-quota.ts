import type { RequestRow } from '../../store/usage/request-log.ts';

/** Different paths that are kept apart of one key in one minute, and rows, which other addresses make more of. */
export const pathsMax = 200;
const rowsMaxOfKey = 1_000;

/** Which rows of a minute are kept apart, so that no key fills the log. */
export interface RequestQuota {
  /** False where a row of that key which was not met before has no room, unless its path is shown as another's. */
  mayTake(minute: number, key: RequestRow['key'], path: string): boolean;
  /** Whether a row that was not met before in this minute, by its name, has room; those without a path always have. */
  take(minute: number, name: string, row: Pick<RequestRow, 'key' | 'path'>): boolean;
}

interface OfKey {
  readonly paths: Set<string>;
  rows: number;
}

/** @param minutesMax minutes of which it is known at once what was met in them */
export function createRequestQuota(minutesMax: number): RequestQuota {
  const minutes = new Map<number, { readonly met: Set<string>; readonly keys: Map<string | null, OfKey> }>();

  return {
    mayTake(minute, key, path) {
      const ofKey = minutes.get(minute)?.keys.get(key);
      if (ofKey === undefined) return true;
      return ofKey.rows < rowsMaxOfKey && (ofKey.paths.size < pathsMax || ofKey.paths.has(path));
    },
    take(minute, name, { key, path }) {
      const known = minutes.get(minute) ?? { met: new Set(), keys: new Map() };
      if (!minutes.has(minute)) {
        minutes.set(minute, known);
        for (const oldest of minutes.keys()) {
          if (minutes.size <= minutesMax) break;
          minutes.delete(oldest);
        }
      }
      if (path === null || known.met.has(name)) return true;
      const ofKey = known.keys.get(key) ?? { paths: new Set<string>(), rows: 0 };
      known.keys.set(key, ofKey);
      if (ofKey.rows >= rowsMaxOfKey) return false;
      if (!ofKey.paths.has(path) && ofKey.paths.size >= pathsMax) return false;
      ofKey.paths.add(path);
      ofKey.rows++;
      known.met.add(name);
      return true;
    },
  };
}

/** The row in which all of a key are counted that have no room. */
export function withoutPath<Row extends RequestRow>(row: Row): Row {
  return { ...row, method: null, host: null, path: null, address: null };
}
