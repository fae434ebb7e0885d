import { setImmediate } from 'node:timers/promises';
import type { SumRange } from '../../store/usage/usage-sums.ts';
import type { UsageTally } from '../../store/usage/usage-tally.ts';
import type { Row } from '../statements.ts';
import type { PendingUse } from './pending.ts';
import { rowsAtOnce } from './reads.ts';
import { itemOf } from './sums.ts';

type Range = Pick<SumRange, 'from' | 'to'>;

/** What waits for its rows, as they will be: to be added to those that are there. */
export interface WaitingRows {
  /** As of `usage_hours`. */
  ofAllKeys(range: Range): AsyncGenerator<Row[], void>;
  ofKeys(keys: Iterable<string>, range: Range): Row[];
  /** As of `usage_sums`, of one owner or of all of them; where nothing is kept by owner, theirs together. */
  ofOwners(range: Range, owner: string | null): Row[];
  /** Keys that are noted as an owner's with their rows. */
  keysOf(owner: string): Iterable<string>;
}

export function createWaitingRows(pending: PendingUse): WaitingRows {
  return {
    async *ofAllKeys({ from, to }) {
      let rows: Row[] = [];
      for (const tally of pending.all(from, to)) {
        if (rows.push(rowOf(tally)) < rowsAtOnce) continue;
        yield rows;
        rows = [];
        await setImmediate();
      }
      yield rows;
    },
    ofKeys: (keys, { from, to }) =>
      [...keys].flatMap((key) =>
        pending
          .of(key as UsageTally['key'])
          .filter(({ hour }) => hour >= from && hour < to)
          .map(rowOf),
      ),
    ofOwners: ({ from, to }, owner) =>
      [...pending.sums(from, to)]
        .filter(({ about }) => owner === null || about.owner === owner)
        .map(({ about, hour, allowed, denied }) => ({
          ...{ start: hour, owner: about.owner ?? '', item: itemOf(about), allowed },
          ...{ denied: JSON.stringify(denied), observed: '{}' },
        })),
    keysOf: (owner) => pending.keysOf(owner),
  };
}

function rowOf({ hour, key, allowed, denied }: UsageTally): Row {
  return { start: hour, owner: '', item: key, allowed, denied: JSON.stringify(denied), observed: '{}' };
}
