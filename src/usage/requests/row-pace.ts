import { minuteMs } from '../../store/usage/request-log.ts';

/** How fast rows may be added: a tenth of those of a minute at once, the others evenly over it. */
export interface RowPace {
  /** Whether one more may be added at `now`; it is counted by {@link RowPace.take}. */
  mayTake(now: number): boolean;
  take(): void;
}

/**
 * A flood of requests that are all different would else cost its first seconds, in every minute, as much for the log
 * as for the answers.
 *
 * @param rowsMax in a minute
 */
export function createRowPace(rowsMax: number): RowPace {
  const atOnce = Math.ceil(rowsMax / 10);
  const perMs = (rowsMax - atOnce) / minuteMs;
  let left = atOnce;
  let since = 0;

  return {
    mayTake(now) {
      // A clock that was set back earns nothing.
      if (now > since) left = Math.min(atOnce, left + (now - since) * perMs);
      since = now;
      return left >= 1;
    },
    take() {
      left--;
    },
  };
}
