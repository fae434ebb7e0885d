import type { Store } from '../../store/store.ts';

/** How many Check workers lease units from the store, those of all replicas. */
export interface Sharers {
  count(): number;
  /** How many replicas there are. */
  replicas(): number;
  start(): void;
  stop(): void;
}

const everyMs = 5_000;

/** Replicas have as many workers as this one, as far as is known here: they are told the same settings. */
export function createSharers(store: Pick<Store, 'countReplicas'>, workers: number): Sharers {
  let replicas = 1;
  let timer: NodeJS.Timeout | null = null;

  async function look(): Promise<void> {
    // What was known goes on where the store cannot be asked.
    replicas = (await store.countReplicas().catch(() => replicas)) ?? 1;
  }

  return {
    count: () => Math.max(1, replicas) * workers,
    replicas: () => Math.max(1, replicas),
    start() {
      timer ??= setInterval(() => void look(), everyMs).unref();
      void look();
    },
    stop() {
      if (timer !== null) clearInterval(timer);
      timer = null;
    },
  };
}
