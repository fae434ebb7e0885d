import { type Finding, warning } from '../diagnosis/finding.ts';
import { BadRecord, type Store, type StoreUnavailable, UnreadableRecord } from '../store.ts';

/** Stored records of keys, owners and roles that cannot be read: told, counted, and not asked for again at once. */
export interface BadRecords {
  /**
   * The same reads, which reject with `StoreUnavailable` for such a record: nobody can tell whom it would allow. It is
   * remembered for some seconds, so that its Checks are not all reads of the store.
   */
  watch<Reads extends Pick<Store, 'findKey' | 'getOwner' | 'getRole'>>(reads: Reads): Reads;
  /** One was left out of a list. */
  note(id: string, error: Error): void;
  /** What an operator should know of those that were met lately. */
  findings(): Finding[];
}

export interface BadRecordsDependencies {
  /** Milliseconds of a clock that is never set back. */
  readonly monotonic: () => number;
  /** Of each record once a minute; the message names the member that is wrong, and no value. */
  readonly onMet: (id: string, error: Error) => void;
  /** Each time that the store came upon one. */
  readonly onRead: () => void;
}

const rememberedMs = 5_000;
const toldEveryMs = 60_000;
const shownForMs = 3_600_000;
/** Records that are kept apart; of more the first are forgotten. */
const recordsMax = 1_000;
const shownMax = 5;

export function createBadRecords({ monotonic, onMet, onRead }: BadRecordsDependencies): BadRecords {
  /** When a subject (a digest, an owner or a role) was found to be bad. */
  const remembered = new Map<string, number>();
  const toldAt = new Map<string, number>();
  const metAt = new Map<string, number>();

  function note(id: string, error: Error): void {
    const at = monotonic();
    onRead();
    put(metAt, id, at);
    if (at - (toldAt.get(id) ?? Number.NEGATIVE_INFINITY) < toldEveryMs) return;
    put(toldAt, id, at);
    onMet(id, error);
  }

  async function guarded<T>(subject: string, read: () => Promise<T>): Promise<T> {
    const since = remembered.get(subject);
    if (since !== undefined && monotonic() - since < rememberedMs) throw unreadable();
    try {
      const found = await read();
      remembered.delete(subject);
      return found;
    } catch (error) {
      if (!(error instanceof BadRecord)) throw error;
      put(remembered, subject, monotonic());
      note(error.id, error);
      throw unreadable(error);
    }
  }

  return {
    note,
    watch: (reads) => ({
      ...reads,
      findKey: (digests, ...asker) => guarded(`key ${digests[0]}`, () => reads.findKey(digests, ...asker)),
      getOwner: (id, ...asker) => guarded(`owner ${id}`, () => reads.getOwner(id, ...asker)),
      getRole: (id, ...asker) => guarded(`role ${id}`, () => reads.getRole(id, ...asker)),
    }),
    findings() {
      const from = monotonic() - shownForMs;
      const ids = [...metAt].filter(([, at]) => at >= from).map(([id]) => id);
      if (ids.length === 0) return [];
      const shown = ids.slice(-shownMax).join(', ') + (ids.length > shownMax ? ', …' : '');
      const what = `${ids.length} stored records cannot be read, as was met within the last hour: ${shown}. Their keys are answered with 503, and lists leave them out.`;
      const cure =
        'The log names the member that is wrong ("a stored record cannot be read"): mend it in the database, or restore it from a backup.';
      return [warning('store.bad_records', what, cure)];
    },
  };
}

/** Last is latest, also of one that was there. */
function put(times: Map<string, number>, name: string, at: number): void {
  times.delete(name);
  times.set(name, at);
  for (const oldest of times.keys()) {
    if (times.size <= recordsMax) return;
    times.delete(oldest);
  }
}

function unreadable(cause?: Error): StoreUnavailable {
  return new UnreadableRecord('the stored record cannot be read', { cause });
}
