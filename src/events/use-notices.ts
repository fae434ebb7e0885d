import { BoundedCache } from '../cache/bounded-cache.ts';
import type { AddressUse } from '../journal/journal-store.ts';
import type { KeyId } from '../keys/key.ts';
import type { Store } from '../store/store.ts';
import type { UsageTally } from '../store/usage/usage-tally.ts';
import { formatTime } from '../time/time.ts';
import { untilAborted } from '../time/until-aborted.ts';
import { createKeyNotices } from './key-notices.ts';
import { createKnownUses } from './known-uses.ts';
import { noticeDraft } from './notice.ts';

/** Sees from what is written of the use of keys what an operator wants to hear of, and journals it. */
export interface UseNotices {
  /**
   * Resolves once it was looked at, which is after all that was given before; never rejects. What could not be
   * journalled is looked at again with the next use.
   */
  note(tallies: readonly UsageTally[]): Promise<void>;
  /** Tells of those that were only counted, once their minute is over. */
  tellMany(): Promise<void>;
  /** Ends what is under way, and tells of what was counted. What is left when the signal is aborted is dropped. */
  stop(signal: AbortSignal): Promise<void>;
}

export interface UseNoticesOptions {
  /** Uses that are known to be no news, a key and an address each, so that the store is not asked again; default
   * 1 000 000, and twice as many at the most. */
  readonly usesMax?: number;
  /** Keys of which the hour is known in which they were told of as denied. Default 200 000. */
  readonly keysMax?: number;
  /** Notices of a kind that are told one by one within a minute; of more one tells, at its end. Default 100. */
  readonly singlyMax?: number;
  /** Tallies that wait to be looked at; more are passed over. Default 200 000. */
  readonly waitingMax?: number;
}

export interface UseNoticesDependencies {
  readonly store: Pick<Store, 'noteAddresses' | 'getKey' | 'appendJournal'>;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
  /** So many tallies were passed over, since there was no time for them. */
  readonly onDropped: (tallies: number) => void;
}

/** Uses in one question to the store. */
const usesAtOnce = 500;

/** A key that came from a new address, once for each; and one that was denied for its permissions, once an hour. */
export function createUseNotices(
  { store, now, onError, onDropped }: UseNoticesDependencies,
  options: UseNoticesOptions = {},
): UseNotices {
  const { usesMax = 1_000_000, keysMax = 200_000, singlyMax = 100, waitingMax = 200_000 } = options;
  const known = createKnownUses(usesMax);
  /** The hour in which a key was told of last. */
  const deniedIn = new BoundedCache<KeyId, number>(keysMax);
  const notices = createKeyNotices({ store, now }, ['NewAddress', 'PermissionDenied'], singlyMax);
  let looking: Promise<void> = Promise.resolve();
  let waiting = 0;
  let dropped = 0;
  let isLate = false;

  return {
    note(tallies) {
      if (waiting + tallies.length > waitingMax) {
        dropped += tallies.length;
        return looking;
      }
      waiting += tallies.length;
      looking = looking.then(() => look(tallies)).catch(onError);
      return looking;
    },
    tellMany: () => tell(false),
    async stop(signal) {
      await untilAborted(signal, looking.then(() => tell(true)).catch(onError));
      isLate = true;
      tellDropped(waiting);
    },
  };

  async function look(tallies: readonly UsageTally[]): Promise<void> {
    waiting -= tallies.length;
    if (isLate) return;
    const uses = newsOf(tallies);
    for (let start = 0; start < uses.length; start += usesAtOnce) {
      await noteAddresses(uses.slice(start, start + usesAtOnce));
    }
    const told = tallies.filter((tally) => isDenied(tally) && deniedIn.get(tally.key) !== tally.hour);
    if (told.length > 0) await noteDenials(told);
  }

  function newsOf(tallies: readonly UsageTally[]): AddressUse[] {
    const uses: AddressUse[] = [];
    for (const { key, addresses } of tallies) {
      for (const address of addresses) if (!known.has({ key, address })) uses.push({ key, address });
    }
    return uses;
  }

  async function noteAddresses(uses: readonly AddressUse[]): Promise<void> {
    const fresh = await store.noteAddresses(uses);
    await notices.tell('NewAddress', fresh, ({ key, address }, record) =>
      noticeDraft('NewAddress', {
        ...{ key: record, address },
        after: { name: record.name, address },
        once: `address ${key} ${address}`,
      }),
    );
    for (const use of uses) known.add(use);
  }

  async function noteDenials(tallies: readonly UsageTally[]): Promise<void> {
    await notices.tell('PermissionDenied', tallies, (tally, record) =>
      noticeDraft('PermissionDenied', {
        ...{ key: record, address: tally.addresses.length === 1 ? tally.addresses[0] : undefined },
        after: { name: record.name, hour: formatTime(tally.hour), addresses: tally.addresses },
        once: `permission ${tally.key} ${tally.hour}`,
      }),
    );
    for (const { key, hour } of tallies) deniedIn.set(key, hour);
  }

  async function tell(isLast: boolean): Promise<void> {
    tellDropped(0);
    await notices.tellMany(isLast);
  }

  function tellDropped(more: number): void {
    if (dropped + more > 0) onDropped(dropped + more);
    dropped = 0;
  }
}

function isDenied({ denied }: UsageTally): boolean {
  return (denied.permission_denied ?? 0) > 0;
}
