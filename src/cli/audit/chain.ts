import { type AuditJson, genesisHash, hashOfJson } from '../../journal/journal.ts';

/** An event that is known from elsewhere. */
export interface Anchor {
  /** `evt_…` */
  readonly id: string;
  readonly hash: string;
}

/** What was found in a chain of events. */
export interface ChainReport {
  readonly count: number;
  readonly first: AuditJson | null;
  readonly last: AuditJson | null;
  /** What is wrong, at most {@link problemsMax} of it; none for a chain that is whole. */
  readonly problems: readonly string[];
  /** How much more is wrong. */
  readonly more: number;
  /** Anchors that lie before all events: nothing can be said of them. */
  readonly outdated: readonly Anchor[];
}

/** Judges events of the journal, the oldest first, by their hashes. */
export interface Chain {
  add(event: AuditJson): void;
  /** Something in place of an event; says what and where. */
  addOther(problem: string): void;
  end(): ChainReport;
}

const problemsMax = 20;

export function createChain(anchors: readonly Anchor[]): Chain {
  const problems: string[] = [];
  const unmet = new Map(anchors.map((anchor) => [anchor.id, anchor.hash]));
  let found = 0;
  let count = 0;
  let first: AuditJson | null = null;
  let last: AuditJson | null = null;
  /** Whether the last one is as it was written: else what follows it is not to blame. */
  let isLastIntact = true;

  return {
    add(event) {
      count += 1;
      const isIntact = hashOfJson(event) === event.hash;
      if (!isIntact) problem(`${told(event)} was changed: its hash is not that of what it says`);
      const isNext = last === null ? beginsWell(event) : followsWell(last, event, isIntact);
      meetAnchor(event);
      if (!isNext && !isIntact) return;
      if (last !== null && sequence(event) <= sequence(last)) return;
      last = event;
      isLastIntact = isIntact;
    },
    addOther: problem,
    end() {
      const outdated = judgeUnmet();
      return { count, first, last, problems, more: found - problems.length, outdated };
    },
  };

  function problem(text: string): void {
    found += 1;
    if (problems.length < problemsMax) problems.push(text);
  }

  function beginsWell(event: AuditJson): boolean {
    first = event;
    if (sequence(event) === 1 && event.previous_hash !== genesisHash) {
      problem(`${told(event)} claims to be the first event, and names another before it`);
    }
    return true;
  }

  function followsWell(before: AuditJson, event: AuditJson, isIntact: boolean): boolean {
    const distance = sequence(event) - sequence(before);
    if (distance === 0) problem(`${told(event)} stands there twice`);
    else if (distance < 0) problem(`${told(event)} stands after ${before.id}: it was moved or added`);
    else if (distance > 1)
      problem(`${missing(before, distance)} missing: ${told(event)} follows ${before.id}`);
    else if (event.previous_hash !== before.hash && isIntact && isLastIntact) {
      problem(`${told(before)} was replaced: ${event.id} was written after another event in its place`);
    }
    return distance === 1;
  }

  function meetAnchor(event: AuditJson): void {
    const hash = unmet.get(event.id);
    if (hash === undefined) return;
    unmet.delete(event.id);
    if (hash !== event.hash) problem(`${told(event)} is not the event of the anchor: it has another hash`);
  }

  /** What an anchor says of events that are not there. */
  function judgeUnmet(): Anchor[] {
    const outdated: Anchor[] = [];
    for (const [id, hash] of unmet) {
      const [begin, end] = [first && sequence(first), last && sequence(last)];
      if (end === null || Number(id.slice(4)) > end) {
        const where = last === null ? 'there is no event' : `the last is ${told(last)}`;
        problem(`the end was cut off: ${id} was there, and ${where}`);
      } else if (begin !== null && Number(id.slice(4)) < begin) {
        const isBeforeFirst = Number(id.slice(4)) === begin - 1;
        if (!isBeforeFirst) outdated.push({ id, hash });
        else if (first?.previous_hash !== hash) {
          problem(`${first ? told(first) : id} does not follow the event of the anchor, ${id}`);
        }
      }
    }
    return outdated;
  }
}

function sequence({ id }: AuditJson): number {
  return Number(id.slice(4));
}

/** An event, so that a person finds it. */
function told({ id, action, target, at }: AuditJson): string {
  return `${id} (${action}${typeof target === 'string' ? ` of ${target}` : ''}, ${at})`;
}

function missing(before: AuditJson, distance: number): string {
  const id = (after: number) => `evt_${String(sequence(before) + after).padStart(16, '0')}`;
  return distance === 2 ? `${id(1)} is` : `${id(1)} to ${id(distance - 1)} are`;
}
