import type { FileWatch } from './file-watch.ts';

/** Whether the file is where it was opened, and how far memory may be trusted where it is not. */
export interface Place {
  /** Looks at once; false where it is lost. */
  look(): boolean;
  /** As of the last look. */
  isLost(): boolean;
  /** True while it is in its place, and for `stalenessMaxMs` after it was there last: as in any outage of a store. */
  isTrusted(): boolean;
  /** How long ago it was there last; 0 while it is. */
  lostForMs(): number;
  stop(): void;
}

export interface PlaceOptions {
  readonly stalenessMaxMs: number;
  readonly lookEveryMs: number;
  readonly onLost?: ((isLost: boolean) => void) | undefined;
}

export function createPlace(
  { isInPlace }: FileWatch,
  { stalenessMaxMs, lookEveryMs, onLost }: PlaceOptions,
): Place {
  let seenAt = performance.now();
  let isLost = false;
  const timer = setInterval(look, lookEveryMs).unref();

  function look(): boolean {
    const was = isLost;
    isLost = !isInPlace();
    if (!isLost) seenAt = performance.now();
    if (isLost !== was) onLost?.(isLost);
    return !isLost;
  }

  function lostForMs(): number {
    return isLost ? performance.now() - seenAt : 0;
  }

  return {
    look,
    isLost: () => isLost,
    isTrusted: () => lostForMs() < stalenessMaxMs,
    lostForMs,
    stop: () => clearInterval(timer),
  };
}
