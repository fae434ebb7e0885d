import type { AccessRequest } from '../../check/request.ts';
import { markedMax, markNext, markStart, type RequestTarget } from '../../check/request-target.ts';
import type { CheckedKey } from '../../keys/key.ts';
import type { RequestRow } from '../../store/usage/request-log.ts';
import { type Asked, type Gathered, isLike, type Judged } from './gathered.ts';

/** The rows of one minute, found by what a Check has in hand, and else by their name. */
export interface MinuteRows {
  readonly minute: number;
  readonly size: number;
  /** What was gathered in another minute is found no more. */
  begin(minute: number): void;
  /** The row that a request is one more of; undefined where it is not found so, null where there is none for certain. */
  find(judged: Judged, decision: RequestRow['decision'], request: AccessRequest): Gathered | null | undefined;
  named(name: string): Gathered | undefined;
  add(name: string, given: GivenRow, key: CheckedKey | null): Gathered;
  /** From now on the row is found for requests like this one. */
  note(gathered: Gathered, request: AccessRequest, key: CheckedKey | null): void;
}

/** A row to be. */
export interface GivenRow extends Asked {
  readonly row: RequestRow;
}

/** What a row of a key is looked for by. */
interface LookedFor {
  readonly judged: Judged;
  readonly decision: RequestRow['decision'];
  readonly request: AccessRequest;
  readonly key: CheckedKey;
}

/**
 * Rows of one key whose marks are looked through; where it has more they are found by what they are about. The marks
 * lie side by side: to look at the rows themselves takes a read from far away for each.
 */
const ofKeyMax = 32;
/** Of each row: its mark, and the place of the row that the same key had before. */
const [markAt, olderAt, rowWords] = [0, 1, 2];
const placesMin = 1_024;
/** Places of rows that are found so. */
const slotsSize = 65_536;
const slabBytes = 65_536;
const none = -1;

export function createMinuteRows(): MinuteRows {
  const slots: (Gathered | undefined)[] = new Array(slotsSize).fill(undefined);
  let byName = new Map<string, Gathered>();
  let byPlace: Gathered[] = [];
  let words = new Int32Array(rowWords * placesMin);
  let minute = -1;
  const toTarget = createTargets();

  /** A place says only where to look: it may be of another minute, and the row of another key. */
  function ofKey(key: CheckedKey): Gathered | undefined {
    const gathered = at(key.requestRow ?? none);
    return gathered !== undefined && gathered.key === key.id ? gathered : undefined;
  }

  /** To read a list below 0 is slow, and makes every other reading so. */
  function at(place: number): Gathered | undefined {
    return place >= 0 && place < byPlace.length ? byPlace[place] : undefined;
  }

  /** Of the rows of a key, the newest at `latest`; null where it has no more of them. */
  function amongKeys(latest: number, asked: LookedFor): Gathered | null | undefined {
    // Where a key has one row no mark is made.
    const mark = wordOf(latest, olderAt) < 0 ? wordOf(latest, markAt) : markOf(asked.request);
    let place = latest;
    for (let looked = 0; looked < ofKeyMax; looked++) {
      if (wordOf(place, markAt) === mark) {
        const gathered = byPlace[place] as Gathered;
        if (isNow(gathered, asked.key.id) && isLike(gathered, asked.judged, asked.decision, asked.request))
          return gathered;
      }
      place = wordOf(place, olderAt);
      if (place < 0) return null;
    }
    return undefined;
  }

  function wordOf(place: number, word: number): number {
    return words[rowWords * place + word] as number;
  }

  function isNow(gathered: Gathered | undefined, key: RequestRow['key']): gathered is Gathered {
    return gathered !== undefined && gathered.minute === minute && gathered.key === key;
  }

  return {
    get minute() {
      return minute;
    },
    get size() {
      return byPlace.length;
    },
    begin(next) {
      minute = next;
      byName = new Map();
      byPlace = [];
    },
    find(judged, decision, request) {
      if (request.isTo === undefined) return undefined;
      const { key } = judged;
      if (key?.requestRow !== undefined) {
        const { requestRow } = key;
        if (requestRow < 0 || requestRow >= byPlace.length) return null;
        const gathered = amongKeys(requestRow, { judged, decision, request, key });
        if (gathered !== undefined) return gathered;
      }
      const id = key === null ? null : key.id;
      const place = placeOf(id, request);
      const one = slots[place];
      if (isNow(one, id) && isLike(one, judged, decision, request)) return one;
      const other = slots[place ^ 1];
      if (isNow(other, id) && isLike(other, judged, decision, request)) return other;
      return undefined;
    },
    named: (name) => byName.get(name),
    add(name, { row, ...asked }, key) {
      const { decision, reason, scheme } = row;
      const place = byPlace.length;
      const made: Gathered = {
        ...{ minute, row, key: row.key, decision, reason, scheme, address: asked.address, place, count: 0 },
        ...toTarget(asked),
      };
      byName.set(name, made);
      byPlace.push(made);
      if (rowWords * place === words.length) words = grown(words);
      words[rowWords * place + markAt] = markOfTarget(made);
      words[rowWords * place + olderAt] = (key === null ? undefined : ofKey(key))?.place ?? none;
      return made;
    },
    note(gathered, request, key) {
      if (request.isTo === undefined) return;
      const latest = key === null ? undefined : ofKey(key);
      if (key?.requestRow !== undefined && (latest?.place ?? none) < gathered.place)
        key.requestRow = gathered.place;
      const place = placeOf(gathered.key, request);
      // The older of the two is the less likely to be asked for.
      slots[(slots[place]?.minute ?? -1) < minute ? place : place ^ 1] = gathered;
    },
  };
}

/** Keeps bytes of many rows side by side, in pieces of which none is written to twice. */
function createTargets(): (asked: Omit<Asked, 'address'>) => RequestTarget {
  let slab = Buffer.alloc(0);
  let used = 0;
  return ({ path, host, method }) => {
    const [pathLength, hostLength, methodLength] = [path, host, method].map((text) =>
      Buffer.byteLength(text),
    ) as [number, number, number];
    const length = pathLength + hostLength + methodLength;
    if (used + length > slab.length) {
      slab = Buffer.alloc(Math.max(slabBytes, length));
      used = 0;
    }
    const from = used;
    for (const text of [path, host, method]) used += slab.write(text, used);
    return { bytes: slab, from, pathLength, hostLength, methodLength };
  };
}

/** Of its path and some characters of the address: what is found by it is compared. */
function markOf(request: AccessRequest): number {
  const { address } = request;
  const mark = request.mark?.() ?? 0;
  return address === null ? mark : markEnd(mark, address);
}

/** The same of a row that requests are like. */
function markOfTarget({ bytes, from, pathLength, address }: Gathered): number {
  let mark = markStart;
  for (let at = from; at < from + Math.min(pathLength, markedMax); at++)
    mark = markNext(mark, bytes[at] as number);
  return address === null ? mark : markEnd(mark, address);
}

function placeOf(key: string | null, request: AccessRequest): number {
  let mark = markOf(request);
  if (key !== null) mark = markEnd(mark, key);
  mark = Math.imul(mark ^ (mark >>> 15), 0x2c1b3c6d);
  return (mark ^ (mark >>> 13)) & (slotsSize - 1);
}

function grown(words: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * words.length);
  larger.set(words);
  return larger;
}

function markEnd(mark: number, text: string): number {
  let next = mark;
  for (let at = Math.max(0, text.length - 4); at < text.length; at++)
    next = markNext(next, text.charCodeAt(at));
  return next;
}
