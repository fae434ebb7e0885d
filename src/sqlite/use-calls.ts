import type { RequestStore } from '../store/usage/request-log.ts';
import type { UsageStore, UseListener } from '../store/usage/usage-store.ts';
import type { Tables } from './tables.ts';

/** The calls about what keys do. */
export function useCalls(
  withTables: <Result>(work: (tables: Tables) => Result | Promise<Result>) => Promise<Result>,
  now: () => number,
): UsageStore & RequestStore {
  let listener: UseListener = () => {};
  return {
    async recordUsage(tallies) {
      await withTables(({ usage }) => usage.record(tallies));
      listener(tallies);
    },
    watchUse: (given) => {
      listener = given;
    },
    countUse: (keys, hours) => withTables(({ usage }) => usage.count(keys, hours)),
    sumUsage: (query) => withTables(({ sumUsage }) => sumUsage(query, now())),
    getUsage: (key, since) => withTables(({ usage }) => usage.get(key, since)),
    recordRequests: (rows) => withTables(({ requests }) => requests.record(rows)),
    listRequests: (filter, page) => withTables(({ requests }) => requests.list(filter, page)),
  };
}
