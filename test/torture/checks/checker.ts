import type { ChangeRecord, CheckRecord, HistoryRecord, Instant, OpeningRecord } from './history.ts';
import { surveyLimits } from './limit-checker.ts';

/** A rule that the history breaks, with the records that show it. */
export interface Violation {
  readonly rule: Rule;
  readonly what: string;
  readonly records: readonly HistoryRecord[];
}

export type Rule =
  | 'no allow once a change that takes away has come into effect'
  | 'no allow of a key that was never made'
  | 'a good key is never denied'
  | 'a key that was given back is allowed once staleness_max has passed'
  | 'what was acknowledged is kept'
  | 'no more than the limit in a window'
  | 'nearly all of the limit where more is asked for'
  | 'effective_at is no later than staleness_max after the answer';

/** Of `effective_at` and of the offset between two clocks, both to the millisecond. */
const roundingMs = 2;

/**
 * Judges a history by itself: of the service it knows no more than what its callers are promised. Calls of
 * one subject (a key, an owner or a role) that change it must not have been made at the same time.
 */
export function judge(records: readonly HistoryRecord[]): Violation[] {
  const [opening] = records;
  if (opening?.type !== 'opening') throw new Error('a history begins with its opening');
  const timelines = new Map<string, Timeline>();
  const made = creationsOf(records);
  for (const [subject, changes] of bySubject(records)) timelines.set(subject, timelineOf(changes, opening));
  const of = (key: string) => {
    const { owner, role } = made.get(key) ?? {};
    const subjects = [key, owner ?? '', role ?? ''].map((subject) => timelines.get(subject));
    return subjects.filter((timeline) => timeline !== undefined);
  };

  const violations: Violation[] = [];
  for (const record of records) {
    if (record.type === 'check') violations.push(...judgeCheck(record, made.get(record.key), of(record.key)));
    if (record.type === 'change') violations.push(...judgeChange(record, made.get(record.subject), opening));
    if (record.type === 'state') {
      const creation = made.get(record.key);
      const held = creation && timelines.get(record.key)?.stateAt(record.begin);
      if (creation === undefined || held === null || held === undefined || held === record.state) continue;
      const what = `${record.key} is ${record.state} where it was acknowledged to be ${held}`;
      violations.push({ rule: 'what was acknowledged is kept', what, records: [creation, record] });
    }
  }
  return [...violations, ...surveyLimits(records, made).violations];
}

/** What was answered of each key that was made. */
export function creationsOf(records: readonly HistoryRecord[]): Map<string, ChangeRecord> {
  const creations = records
    .filter((record) => record.type === 'change')
    .filter(({ operation, outcome }) => operation === 'create' && outcome === 'done');
  return new Map(creations.map((creation) => [creation.subject, creation]));
}

/** When a subject is away for certain, and when it may be. */
interface Timeline {
  /** From `from` on nothing may be allowed, until a change that may give it back begins. */
  readonly away: readonly { readonly from: Instant; readonly until: Instant; readonly by: ChangeRecord }[];
  /** A denial is right if its Check was under way at some time in between. */
  readonly maybeAway: readonly {
    readonly from: Instant;
    readonly until: Instant;
    readonly back: ChangeRecord | null;
  }[];
  /** What a read that began then shows; null where that is not certain. */
  stateAt(instant: Instant): 'active' | 'disabled' | 'revoked' | null;
}

const takes = ['revoke', 'disable', 'suspend', 'narrow', 'remove'];
const gives = ['enable', 'resume', 'widen'];

function timelineOf(changes: readonly ChangeRecord[], { stalenessMaxMs }: OpeningRecord): Timeline {
  const mattering = changes.filter(({ outcome }) => outcome !== 'refused');
  const taking = mattering.filter(({ operation }) => takes.includes(operation));
  const giving = mattering.filter(({ operation }) => gives.includes(operation));
  /** What was asked for and not answered may be done at any later time. */
  const lastOf = ({ outcome, end }: ChangeRecord) => (outcome === 'done' ? end : Number.POSITIVE_INFINITY);

  const away = taking
    .filter(({ outcome }) => outcome === 'done')
    .flatMap((by) => {
      const isFinal = by.operation === 'revoke';
      if (!isFinal && giving.some((other) => other.begin < by.end && lastOf(other) > by.begin)) return [];
      const next = giving.find(({ begin }) => begin >= by.end);
      const until = isFinal || next === undefined ? Number.POSITIVE_INFINITY : next.begin;
      return [{ from: effectiveFrom(by), until, by }];
    });
  const maybeAway = taking.map((by) => {
    const isCertain = by.outcome === 'done' && by.operation !== 'revoke';
    const back = isCertain
      ? giving.find(({ begin, outcome }) => begin >= by.end && outcome === 'done')
      : null;
    const until = back ? back.end + stalenessMaxMs + roundingMs : Number.POSITIVE_INFINITY;
    return { from: by.begin, until, back: back ?? null };
  });

  return {
    away,
    maybeAway,
    stateAt(instant) {
      if (mattering.some((change) => change.begin < instant && lastOf(change) > instant)) {
        const isRevoked = taking.some(({ operation, outcome, end }) => {
          return operation === 'revoke' && outcome === 'done' && end < instant;
        });
        return isRevoked ? 'revoked' : null;
      }
      const before = mattering.filter(({ end }) => end < instant);
      if (before.some(({ operation }) => operation === 'revoke')) return 'revoked';
      return before.at(-1)?.operation === 'disable' ? 'disabled' : 'active';
    },
  };
}

/** From when on, by the history's clock, an answer says that nothing is allowed any more. */
function effectiveFrom({ end, effectiveAt, wallOffset }: ChangeRecord): Instant {
  if (effectiveAt === undefined) return Number.POSITIVE_INFINITY;
  const effective = effectiveAt - wallOffset;
  return effective <= end + roundingMs ? end : effective + roundingMs;
}

function judgeCheck(
  check: CheckRecord,
  creation: ChangeRecord | undefined,
  timelines: readonly Timeline[],
): Violation[] {
  if (check.verdict === 'allowed') {
    if (creation === undefined && timelines.length === 0) {
      const what = `${check.replica} let in ${check.key}`;
      return [{ rule: 'no allow of a key that was never made', what, records: [check] }];
    }
    const broken = timelines
      .flatMap(({ away }) => away)
      .find(({ from, until }) => check.begin > from && check.end < until);
    if (broken === undefined) return [];
    const late = Math.round(check.begin - broken.from);
    const what = `${check.replica} let in ${check.key} ${late} ms after the ${broken.by.operation} by ${broken.by.replica} was in effect`;
    const records = [broken.by, check];
    return [{ rule: 'no allow once a change that takes away has come into effect', what, records }];
  }
  if (check.verdict !== 'denied' || creation === undefined || check.begin <= creation.end) return [];
  if (check.reason === 'rate_limited' && creation.limit) return [];
  const maybe = timelines.flatMap(({ maybeAway }) => maybeAway);
  if (maybe.some(({ from, until }) => check.end > from && check.begin < until)) return [];
  const back = maybe.findLast((one) => one.until <= check.begin)?.back;
  const what = `${check.replica} denied ${check.key}: ${check.reason}`;
  const rule = back
    ? 'a key that was given back is allowed once staleness_max has passed'
    : 'a good key is never denied';
  return [{ rule, what, records: [creation, ...(back ? [back] : []), check] }];
}

function judgeChange(
  change: ChangeRecord,
  creation: ChangeRecord | undefined,
  { stalenessMaxMs }: OpeningRecord,
): Violation[] {
  const isLost = change.status === 404 && creation !== undefined && creation.end < change.begin;
  if (isLost) {
    const what = `${change.replica} does not know ${change.subject}`;
    return [{ rule: 'what was acknowledged is kept', what, records: [creation, change] }];
  }
  if (change.effectiveAt === undefined) return [];
  if (change.effectiveAt - change.wallOffset <= change.end + stalenessMaxMs + roundingMs) return [];
  const what = `the ${change.operation} of ${change.subject} comes into effect too late`;
  return [{ rule: 'effective_at is no later than staleness_max after the answer', what, records: [change] }];
}

/** The changes of each subject, in the order in which they were asked for. */
function bySubject(records: readonly HistoryRecord[]): Map<string, ChangeRecord[]> {
  const changes = records.filter((record) => record.type === 'change' && record.subject !== '');
  return Map.groupBy(
    (changes as ChangeRecord[]).toSorted((one, other) => one.begin - other.begin),
    ({ subject }) => subject,
  );
}
