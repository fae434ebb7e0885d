import { type Automaton, UnjudgedPattern } from './automaton.ts';
import type { Character } from './characters.ts';

/** In how many ways a text can have been read to each position. */
type Ways = ReadonlyMap<number, number>;

interface Reached {
  readonly ways: Ways;
  /** All ways together. */
  readonly count: number;
  readonly steps: number;
  readonly text: string;
}

export interface StepsNeeded {
  /** The most that a backtracking matcher tries for one character of a text, at most `stepsMax`. */
  readonly steps: number;
  /** A text that needs more; null when there is none. */
  readonly witness: string | null;
}

/** For the proof itself, so that it ends. */
const workMax = 4_000_000;

/**
 * Reads every text at once, character by character, and counts in how many ways each can have been read: a
 * backtracking matcher tries each of these once. A text with fewer ways everywhere than another is read no further,
 * since whatever follows needs no more steps than after the other.
 */
export function stepsNeeded(
  automaton: Automaton,
  characters: readonly Character[],
  {
    waysMax,
    stepsMax,
    textLengthMax,
  }: { readonly waysMax: number; readonly stepsMax: number; readonly textLengthMax: number },
): StepsNeeded {
  const seen = createSeen();
  const start = reach(new Map([[0, 1]]), '', automaton);
  let steps = start.steps;
  let work = 0;
  let reached = start.steps > stepsMax ? [] : [start];
  for (let length = 0; length < textLengthMax && reached.length > 0; length++) {
    const next: Reached[] = [];
    for (const { ways, text } of reached) {
      for (const character of characters) {
        const after = reach(readOne(ways, character, automaton), text + character.text, automaton);
        if (after.count > waysMax || after.steps > stepsMax) return { steps: stepsMax, witness: after.text };
        if (after.ways.size > 0) next.push(after);
        work += ways.size + 1;
      }
    }
    next.sort((a, b) => b.steps - a.steps);
    reached = next.filter(({ ways }) => {
      const { isNew, compared } = seen.add(ways);
      work += compared;
      return isNew;
    });
    steps = Math.max(steps, reached[0]?.steps ?? 0);
    if (work > workMax) throw new UnjudgedPattern('it has too many ways to go on');
  }
  return { steps, witness: start.steps > stepsMax ? '' : null };
}

function reach(ways: Ways, text: string, { edges }: Automaton): Reached {
  let [count, steps] = [0, 0];
  for (const [position, here] of ways) {
    count += here;
    for (const [, by] of edges[position] ?? []) steps += here * by;
  }
  return { ways, text, count, steps: count + steps };
}

function readOne(ways: Ways, { readBy }: Character, { edges, reads }: Automaton): Ways {
  const after = new Map<number, number>();
  for (const [position, count] of ways) {
    for (const [to, by] of edges[position] ?? []) {
      if (readBy.has(reads[to] ?? -1)) after.set(to, (after.get(to) ?? 0) + count * by);
    }
  }
  return after;
}

/** Remembers ways by the positions that they come to. */
function createSeen() {
  const byPosition = new Map<number, Ways[]>();
  return {
    /** Not new is what another had at least as many ways for, everywhere. */
    add(ways: Ways): { readonly isNew: boolean; readonly compared: number } {
      const lists = [...ways.keys()].map((position) => byPosition.get(position) ?? []);
      const shortest = lists.reduce((a, b) => (a.length <= b.length ? a : b));
      let compared = ways.size;
      for (const other of shortest) {
        compared += 1 + ways.size / 8;
        if (isWithin(ways, other)) return { isNew: false, compared };
      }
      for (const position of ways.keys()) {
        const list = byPosition.get(position);
        if (list === undefined) byPosition.set(position, [ways]);
        else list.push(ways);
      }
      return { isNew: true, compared };
    },
  };
}

function isWithin(ways: Ways, other: Ways): boolean {
  if (ways.size > other.size) return false;
  for (const [position, count] of ways) {
    if (count > (other.get(position) ?? 0)) return false;
  }
  return true;
}
