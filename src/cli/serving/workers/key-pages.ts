import { setTimeout } from 'node:timers/promises';
import type { KeyringDependencies } from '../../../cache/keyring.ts';
import type { WorkerFeed } from '../../../link/worker-feed.ts';
import type { WorkerStore } from '../../../link/worker-store.ts';
import type { CheckConfig } from '../../../settings/check-config.ts';

/** Keys that are put into memory at once, before they are asked for: a millisecond of this thread, and of the service's. */
const pageSize = 250;

/** What memory is filled with; undefined where keys are read as they are asked for. */
export function pagesOf(
  { store: { kind } }: Pick<CheckConfig, 'store'>,
  { readKeyPage }: Pick<WorkerStore, 'readKeyPage'>,
  { isHeard, hear }: Pick<WorkerFeed, 'isHeard' | 'hear'>,
): KeyringDependencies['pages'] {
  if (kind !== 'sqlite') return undefined;
  return {
    readPage: (before) => readKeyPage(before, pageSize),
    ...{ isHeard, hear },
    wait: (ms) => setTimeout(ms, undefined, { ref: false }),
  };
}
