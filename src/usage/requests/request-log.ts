import { setImmediate } from 'node:timers/promises';
import type { Decision } from '../../check/authorize.ts';
import type { AccessRequest } from '../../check/request.ts';
import { isSameTarget, markNext, targetMark } from '../../check/request-target.ts';
import type { Scheme } from '../../schemes/scheme.ts';
import { minuteMs, type RequestRow } from '../../store/request-log.ts';
import { untilAborted } from '../../time/until-aborted.ts';
import { createRequestQuota, withoutPath } from './request-quota.ts';
import { barePath, createShowRequest } from './shown-request.ts';

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
  /** So many requests are not in the log, since it had no room for them. */
  readonly onDropped: (requests: number) => void;
}

export interface RequestLogOptions {
  readonly flushMs: number;
  /** Rows of a minute, and rows that wait; past it requests unlike those are not in the log. Default 20 000. */
  readonly rowsMax?: number;
}

/** A row that is added to, and what a request is compared with, as it came. */
interface Gathered {
  readonly minute: number;
  readonly row: RequestRow;
  readonly scheme: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  /** As it came; null where no request could be read. */
  readonly address: string | null;
  /** Since it was handed on last. */
  count: number;
}

/** Places of rows that are found without making a name of what they are about. */
const slotsSize = 65_536;
const batchSize = 250;

export function createRequestLog(
  dependencies: RequestLogDependencies,
  options: RequestLogOptions,
): RequestLog {
  const { send, schemes, onError, onDropped } = dependencies;
  const { flushMs, rowsMax = 20_000 } = options;
  const slots: (Gathered | undefined)[] = new Array(slotsSize).fill(undefined);
  const show = createShowRequest();
  const quota = createRequestQuota(1);
  /** Of the minute, by what they are about. */
  let rows = new Map<string, Gathered>();
  let minute = -1;
  /** Those with something to hand on. */
  let used: Gathered[] = [];
  let dropped = 0;
  let isOn = true;
  let timer: NodeJS.Timeout | null = null;
  let flushing: Promise<void> | null = null;

  function record(decision: Decision, request: AccessRequest | null, now: number): void {
    if (!isOn) return;
    const judged = decision.verdict === 'observe' ? decision.would : decision;
    if (judged.verdict === 'public') return;
    const kind = judged.verdict === 'allow' ? 'allow' : decision.verdict === 'observe' ? 'observed' : 'deny';
    const id = judged.key === null ? null : judged.key.id;
    const place = placeOf(id, request);
    let gathered = slots[place];
    if (gathered === undefined || !isLike(gathered, judged, kind, request, now)) {
      gathered = slots[place ^ 1];
      if (gathered === undefined || !isLike(gathered, judged, kind, request, now)) {
        const found = find(judged, kind, request, now);
        if (found === null) {
          dropped++;
          return;
        }
        gathered = found;
        // The older of the two is the less likely to be asked for.
        if (found.row.path !== null)
          slots[(slots[place]?.minute ?? -1) < found.minute ? place : place ^ 1] = found;
      }
    }
    if (gathered.count++ === 0) used.push(gathered);
  }

  function find(
    judged: Judged,
    decision: RequestRow['decision'],
    request: AccessRequest | null,
    now: number,
  ): Gathered | null {
    const start = now - (now % minuteMs);
    if (start !== minute) {
      minute = start;
      rows = new Map();
    }
    // To name what a request is about takes some microseconds, and is in vain where there is no room.
    if (rows.size >= rowsMax || used.length >= rowsMax) return null;
    const isAllowed = judged.verdict === 'allow';
    const reason = isAllowed ? null : judged.reason;
    const scheme = judged.scheme.name;
    const [method, host] = [request?.method ?? '', request?.host ?? ''];
    const path = barePath(request?.path ?? '');
    const address = request === null ? null : request.address;
    const key = judged.key?.id ?? null;
    const environment = environmentOf(judged);
    const about = [key, decision, reason, scheme, environment];
    const name = JSON.stringify([...about, method, host, path, address]);
    const known = rows.get(name);
    if (known !== undefined) return known;
    const status = isAllowed ? 200 : judged.scheme.answers[judged.reason].status;
    const whole: RequestRow = {
      ...{ at: now, count: 1, key, owner: judged.key?.owner ?? null },
      ...show(request, schemes()),
      ...{ decision, reason, status, scheme, environment },
    };
    const hasRoom = quota.take(start, name, whole);
    const kept = hasRoom ? name : JSON.stringify(about);
    const met = hasRoom ? undefined : rows.get(kept);
    if (met !== undefined) return met;
    const row = hasRoom ? whole : withoutPath(whole);
    const made: Gathered = { minute: start, row, scheme, method, host, path, address, count: 0 };
    rows.set(kept, made);
    return made;
  }

  async function flush(): Promise<void> {
    while (flushing !== null) await flushing;
    flushing = handOn().finally(() => {
      flushing = null;
    });
    await flushing;
  }

  async function handOn(): Promise<void> {
    const waiting = used;
    used = [];
    if (dropped > 0) onDropped(dropped);
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
    start() {
      // A store that is slow is not asked again before it has answered.
      timer ??= setInterval(() => flushing ?? flush(), flushMs).unref();
    },
    flush,
    async stop(signal) {
      if (timer !== null) clearInterval(timer);
      timer = null;
      await untilAborted(signal, flush());
    },
  };
}

/** Whether a request is one more of those that were gathered there. */
function isLike(
  gathered: Gathered,
  judged: Judged,
  decision: RequestRow['decision'],
  request: AccessRequest | null,
  now: number,
): boolean {
  const { row, minute } = gathered;
  return (
    request !== null &&
    now >= minute &&
    now < minute + minuteMs &&
    row.key === (judged.key === null ? null : judged.key.id) &&
    row.decision === decision &&
    (judged.verdict === 'allow' || judged.reason === row.reason) &&
    gathered.scheme === judged.scheme.name &&
    gathered.address === request.address &&
    // A key has the same as long as it lives.
    (judged.key !== null || row.environment === environmentOf(judged)) &&
    isSameTarget(request, gathered)
  );
}

type Judged = Exclude<Exclude<Decision, { verdict: 'observe' }>, { verdict: 'public' }>;

function environmentOf(judged: Judged): string | null {
  if (judged.key !== null) return judged.key.environment;
  return judged.verdict === 'deny' ? (judged.terms?.environment ?? null) : null;
}

/** By its path and some characters of the others: what is found there is compared. */
function placeOf(key: string | null, request: AccessRequest | null): number {
  if (request === null) return 0;
  let mark = targetMark(request);
  const { address } = request;
  if (key !== null) mark = markEnd(mark, key);
  if (address !== null) mark = markEnd(mark, address);
  mark = Math.imul(mark ^ (mark >>> 15), 0x2c1b3c6d);
  return (mark ^ (mark >>> 13)) & (slotsSize - 1);
}

function markEnd(mark: number, text: string): number {
  let next = mark;
  for (let at = Math.max(0, text.length - 4); at < text.length; at++)
    next = markNext(next, text.charCodeAt(at));
  return next;
}
