import type { Io } from '../terminal/command.ts';
import type { Tally } from './state.ts';

/** Tells on standard error how far an import has come: as a bar on a terminal, else by a line from time to time. */
export interface Progress {
  /** `done` is 0 to 1, null where the end is not known. */
  tell(tally: Tally, done: number | null): void;
  /** Leaves the line of the bar, so that something else can be written. */
  clear(): void;
}

const barMs = 100;
const lineMs = 10_000;
const barWidth = 24;

export function createProgress(
  { stderr, clock }: Pick<Io, 'stderr' | 'clock'>,
  rowsBefore: number,
): Progress {
  const isBar = stderr.isTTY === true;
  const begun = clock.now();
  let toldAt = isBar ? -Infinity : begun;
  let shown = 0;

  return {
    tell(tally, done) {
      const at = clock.now();
      if (at - toldAt < (isBar ? barMs : lineMs) && done !== 1) return;
      if (!isBar && done === 1) return;
      toldAt = at;
      const rate = ((tally.rows - rowsBefore) / Math.max(1, at - begun)) * 1_000;
      const counts = `${grouped(tally.rows)} rows, ${grouped(Math.round(rate))}/s`;
      if (isBar) draw(`${done === null ? '' : `${bar(done)} `}${counts}${left(done, at - begun)}`);
      else stderr.write(`postern: ${done === null ? '' : `${percent(done)}, `}${counts}\n`);
    },
    clear() {
      if (shown > 0) stderr.write(`\r${' '.repeat(shown)}\r`);
      shown = 0;
    },
  };

  function draw(text: string): void {
    stderr.write(`\r${text.padEnd(shown)}`);
    shown = text.length;
  }
}

function bar(done: number): string {
  const full = Math.round(done * barWidth);
  return `${percent(done).padStart(5)} [${'#'.repeat(full)}${' '.repeat(barWidth - full)}]`;
}

function percent(done: number): string {
  return `${Math.floor(done * 100)} %`;
}

function left(done: number | null, elapsedMs: number): string {
  if (done === null || done <= 0 || done >= 1) return '';
  return `, ${duration((elapsedMs / done) * (1 - done))} left`;
}

/** To the second: `1 h 2 min`, `3 min 4 s`, `5 s`. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${seconds % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** With commas between the thousands. */
export function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
