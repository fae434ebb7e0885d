import type { Api } from './api.ts';

/** What the REST API answered. */
export interface Recalled<T> {
  /** Null while it is asked for the first time and takes long. */
  readonly value: T | null;
  /** When it was asked, Unix milliseconds; null for just now. */
  readonly asOf: number | null;
}

/** Asks for a path of the REST API, as `Api.call` does. */
export type Ask = <T>(path: string) => Promise<Recalled<T>>;

/** Answers that take long, kept for a moment: a page shows the last one, with its time, while the next is on its way. */
export interface Recollection {
  /** As somebody of this name; nobody sees what another was answered. */
  by(name: string, api: Pick<Api, 'call'>): Ask;
}

interface Kept {
  answer: { readonly value: unknown; readonly at: number } | null;
  asked: Promise<void> | null;
}

/** An answer is asked for anew once it is older. */
const freshMs = 30_000;
/** Older ones are not shown. */
const ageMaxMs = 15 * 60_000;
/** How long a page waits for one. */
const patienceMs = 150;
/** Answers, each of them of some hundred rows at most. */
const keptMax = 64;

/** `now` is in Unix milliseconds. */
export function createRecollection(now: () => number): Recollection {
  const entries = new Map<string, Kept>();

  function entryOf(name: string): Kept {
    const entry = entries.get(name) ?? { answer: null, asked: null };
    // The one that was looked at last is the last to be forgotten.
    entries.delete(name);
    entries.set(name, entry);
    for (const oldest of entries.keys()) {
      if (entries.size <= keptMax) break;
      entries.delete(oldest);
    }
    return entry;
  }

  async function ask(entry: Kept, question: () => Promise<unknown>): Promise<void> {
    const at = now();
    try {
      entry.answer = { value: await question(), at };
    } catch (error) {
      // Whoever may not ask any more is shown nothing of before.
      entry.answer = null;
      throw error;
    } finally {
      entry.asked = null;
    }
  }

  return {
    by: (name, api) => async (path) => {
      const entry = entryOf(JSON.stringify([name, path]));
      const age = entry.answer === null ? Number.POSITIVE_INFINITY : now() - entry.answer.at;
      if (age > freshMs) {
        entry.asked ??= ask(entry, () => api.call('GET', path));
        await withinPatience(entry.asked);
      }
      const { answer } = entry;
      if (answer === null || now() - answer.at > ageMaxMs) return { value: null, asOf: null };
      return { value: answer.value as never, asOf: answer.at };
    },
  };
}

/** Rejects with what the work rejects with by then; what it rejects with later is for who asks next. */
async function withinPatience(work: Promise<void>): Promise<void> {
  work.catch(() => {});
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, patienceMs);
  try {
    await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
