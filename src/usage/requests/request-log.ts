import { setImmediate } from 'node:timers/promises';
import type { Decision } from '../../check/authorize.ts';
import type { AccessRequest } from '../../check/request.ts';
import type { Scheme } from '../../schemes/scheme.ts';
import { minuteMs, type RequestRow } from '../../store/usage/request-log.ts';
import { createFlushing } from '../flushing.ts';
import { aboutOf, askedOf, type Gathered, type Judged, nameOf } from './gathered.ts';
import { createMinuteRows } from './minute-rows.ts';
import { createRequestQuota, withoutPath } from './request-quota.ts';
import { createRowPace } from './row-pace.ts';
import { createShowRequest, noTarget } from './shown-request.ts';

/** Gathers what became of requests, minute by minute, and hands it on in batches. */
export interface RequestLog {
  /** Costs no wait, and for a request like one before in this minute some tenths of a microsecond. */
  record(decision: Decision, request: AccessRequest | null, now: number): void;
  /** Whether it gathers; what was gathered before is handed on all the same. */
  setOn(isOn: boolean): void;
  /** Hands on at intervals; {@link RequestLog.stop} ends it. */
  start(): void;
  /** Hands on what was gathered up to now; what cannot be is kept for the next time. */
  flush(): Promise<void>;
  /** Hands on what is left; what is not when the signal is aborted, or cannot be, is dropped. */
  stop(signal: AbortSignal): Promise<void>;
}

export interface RequestLogDependencies {
  /** Rejects where they cannot be taken now. */
  readonly send: (rows: readonly RequestRow[]) => Promise<void>;
  /** All schemes whose keys may stand in a path. */
  readonly schemes: () => readonly Scheme[];
  readonly onError: (error: unknown) => void;
  /** So many requests are not in the log: it had no room for them, or too many came at once that are all different. */
  readonly onLeftOut: (requests: number) => void;
}

export interface RequestLogOptions {
  readonly flushMs: number;
  /**
   * Rows of a minute, of which a tenth may come at once, and rows that wait; past it requests unlike those are not in
   * the log. Default 20 000.
   */
  readonly rowsMax?: number;
}

const batchSize = 250;

export function createRequestLog(
  dependencies: RequestLogDependencies,
  options: RequestLogOptions,
): RequestLog {
  const { send, schemes, onError, onLeftOut } = dependencies;
  const { flushMs, rowsMax = 20_000 } = options;
  const show = createShowRequest();
  const quota = createRequestQuota(1);
  const pace = createRowPace(rowsMax);
  const rows = createMinuteRows();
  /** Those with something to hand on. */
  let used: Gathered[] = [];
  let dropped = 0;
  let isOn = true;
  const { start, flush, stop } = createFlushing(handOn, flushMs);

  function record(decision: Decision, request: AccessRequest | null, now: number): void {
    if (!isOn) return;
    const judged = decision.verdict === 'observe' ? decision.would : decision;
    if (judged.verdict === 'public') return;
    const kind = judged.verdict === 'allow' ? 'allow' : decision.verdict === 'observe' ? 'observed' : 'deny';
    if (now < rows.minute || now >= rows.minute + minuteMs) rows.begin(now - (now % minuteMs));
    const found = request === null ? undefined : rows.find(judged, kind, request);
    const gathered = found ?? gather(judged, kind, request, now);
    if (gathered === null) dropped++;
    else if (gathered.count++ === 0) used.push(gathered);
  }

  /** The row by its name, made where there is none; null where there is no room. */
  function gather(
    judged: Judged,
    decision: RequestRow['decision'],
    request: AccessRequest | null,
    now: number,
  ): Gathered | null {
    const isFull = rows.size >= rowsMax || used.length >= rowsMax;
    const mayAdd = !isFull && pace.mayTake(now);
    // To name what a request is about takes a microsecond, and is in vain where there is no room.
    if (isFull || (!mayAdd && request?.isTo !== undefined)) return null;
    const { key } = judged;
    const about = aboutOf(judged, decision);
    const asked = askedOf(request);
    const name = nameOf(about, asked);
    const known = rows.named(name);
    if (known !== undefined) {
      if (request !== null) rows.note(known, request, key);
      return known;
    }
    if (!mayAdd) return null;
    const mayHaveRoom = quota.mayTake(rows.minute, about.key, asked.path);
    const shown = mayHaveRoom ? show(request, schemes()) : noTarget;
    const whole: RequestRow = { at: now, count: 1, owner: key?.owner ?? null, ...about, ...shown };
    const hasRoom = mayHaveRoom && quota.take(rows.minute, name, whole);
    const restName = nameOf(about, null);
    const rest = hasRoom ? undefined : rows.named(restName);
    if (rest !== undefined) return rest;
    const row = hasRoom ? whole : withoutPath(whole);
    pace.take();
    const made = rows.add(hasRoom ? name : restName, { row, ...asked }, key);
    if (hasRoom && request !== null) rows.note(made, request, key);
    return made;
  }

  async function handOn(): Promise<void> {
    const waiting = used;
    used = [];
    if (dropped > 0) onLeftOut(dropped);
    dropped = 0;
    for (let start = 0; start < waiting.length; start += batchSize) {
      if (start > 0) await setImmediate();
      const batch = waiting.slice(start, start + batchSize).map((gathered) => {
        const { row, count } = gathered;
        gathered.count = 0;
        return { gathered, row: { ...row, count } };
      });
      try {
        await send(batch.map(({ row }) => row));
      } catch (error) {
        onError(error);
        for (const { gathered, row } of batch) restore(gathered, row.count);
        for (const gathered of waiting.slice(start + batchSize)) used.push(gathered);
        return;
      }
    }
  }

  function restore(gathered: Gathered, count: number): void {
    if (gathered.count === 0) used.push(gathered);
    gathered.count += count;
  }

  return {
    record,
    setOn(next) {
      isOn = next;
    },
    start,
    flush,
    stop,
  };
}
