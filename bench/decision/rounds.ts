import { hash } from 'node:crypto';
import { GCProfiler, getHeapStatistics } from 'node:v8';
import { median } from '../report/report.ts';
import type { Requests } from './request.ts';
import type { Setting } from './setting.ts';

export interface Bounds {
  readonly rounds: number;
  readonly checks: number;
}

/** What a Check cost in each round. */
export interface Measured {
  /** Processor time of the whole process, microseconds. */
  readonly micros: readonly number[];
  /** On the JavaScript heap; what is in buffers is not counted. */
  readonly bytes: readonly number[];
  /** Of a SHA-256 of a key, alone, before and after each round: how fast the machine was just then. */
  readonly digestMicros: readonly number[];
  /** The part of the time of the thread that garbage collection held it up, 0 to 1. */
  readonly gcShare: readonly number[];
}

/** Asks in the order of `requests` over and over; the first round warms up and does not count. */
export async function measure(
  { answer, flush }: Pick<Setting, 'answer' | 'flush'>,
  requests: Requests,
  { rounds, checks }: Bounds,
): Promise<Measured> {
  const measured = {
    micros: [] as number[],
    bytes: [] as number[],
    gcShare: [] as number[],
    digestMicros: [] as number[],
  };
  for (let round = 0; round <= rounds; round++) {
    const digestBefore = digestMicros();
    const collector = new GCProfiler();
    collector.start();
    const heap = getHeapStatistics().total_allocated_bytes;
    const started = { cpu: process.cpuUsage(), at: performance.now() };
    for (let at = 0; at < checks; at++) {
      const given = answer(requests.at((at + round * checks) % requests.count));
      if (given instanceof Promise) await given;
    }
    const cpu = process.cpuUsage(started.cpu);
    const tookMs = performance.now() - started.at;
    const allocated = getHeapStatistics().total_allocated_bytes - heap;
    const pauses = collector.stop().statistics.map(({ cost }) => cost / 1_000);
    const pausedMs = pauses.reduce((sum, pause) => sum + pause, 0);
    await flush();
    if (round === 0) continue;
    measured.micros.push((cpu.user + cpu.system) / checks);
    measured.bytes.push(allocated / checks);
    measured.digestMicros.push((digestBefore + digestMicros()) / 2);
    measured.gcShare.push(pausedMs / tookMs);
  }
  return measured;
}

function digestMicros(): number {
  const count = 10_000;
  const started = process.cpuUsage();
  for (let at = 0; at < count; at++) hash('sha256', `pst_live_${'x'.repeat(44)}${10_000 + at}`, 'base64url');
  const { user, system } = process.cpuUsage(started);
  return (user + system) / count;
}

/** `median (lowest…highest)`. */
export function spread(values: readonly number[], digits: number): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return `${median(values).toFixed(digits)} (${low.toFixed(digits)}…${high.toFixed(digits)})`;
}

/** Rows of columns, padded to their widest. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
        .join('  '),
    )
    .join('\n');
}
