import type { AST } from '@eslint-community/regexpp';
import { addLengths, type Lengths, lengthsOf, lengthsOfAny, noLength, timesLengths } from './lengths.ts';

/** A pattern that nothing can be said of, and why. */
export class UnjudgedPattern extends Error {}

export type Atom = AST.Character | AST.CharacterClass | AST.CharacterSet;

/** The position that comes next, and in how many ways that read nothing it is come to. */
export type Edge = readonly [to: number, ways: number];

/**
 * A pattern without its repetitions: positions that read one character each, and edges between them (Glushkov's
 * automaton, with the number of ways on each edge). Position 0 is the start and reads nothing.
 */
export interface Automaton {
  /** What each position reads, as an index of `atoms`. */
  readonly reads: readonly number[];
  readonly atoms: readonly Atom[];
  readonly edges: readonly (readonly Edge[])[];
  readonly lookarounds: readonly Lookaround[];
  /** The longest text that is read. */
  readonly lengthMax: number;
}

export interface Lookaround {
  readonly node: AST.LookaroundAssertion;
  /** At how many places of one text it may be tried. */
  readonly places: number;
}

export interface AutomatonOptions {
  /** No text is longer, so no count of repetitions means more. */
  readonly textLengthMax: number;
  /** As a lookbehind is matched. */
  readonly backward: boolean;
}

const positionsMax = 8_000;
const edgesMax = 200_000;
/** More are as good as this many. */
const waysMax = 1e6;

/** A part of a pattern: where it begins and ends, and in how many ways it reads nothing. */
interface Part {
  readonly first: readonly Edge[];
  readonly last: readonly Edge[];
  readonly empty: number;
}

interface Building extends AutomatonOptions {
  readonly reads: number[];
  readonly atoms: Map<string, { readonly index: number; readonly atom: Atom }>;
  readonly edges: Edge[][];
  readonly lookarounds: Lookaround[];
  edgesCount: number;
}

const nothing: Part = { first: [], last: [], empty: 1 };
const never: Part = { first: [], last: [], empty: 0 };

/** Throws {@link UnjudgedPattern}. */
export function automatonOf(alternatives: readonly AST.Alternative[], options: AutomatonOptions): Automaton {
  const building: Building = {
    ...{ ...options, reads: [-1], atoms: new Map(), edges: [[]], lookarounds: [], edgesCount: 0 },
  };
  const { first } = anyOf(alternatives, noLength, building);
  connect([[0, 1]], first, building);
  return {
    reads: building.reads,
    atoms: [...building.atoms.values()].map(({ atom }) => atom),
    edges: building.edges,
    lookarounds: building.lookarounds,
    lengthMax: lengthsOfAny(alternatives, options.textLengthMax).max,
  };
}

/** `before` says how much was read when the part begins. */
function anyOf(alternatives: readonly AST.Alternative[], before: Lengths, building: Building): Part {
  return alternatives
    .map(({ elements }) => {
      let [whole, read] = [nothing, before];
      for (const element of building.backward ? elements.toReversed() : elements) {
        whole = followed(whole, partOf(element, read, building), building);
        read = addLengths(read, lengthsOf(element, building.textLengthMax), building.textLengthMax);
      }
      return whole;
    })
    .reduce(either, never);
}

function partOf(element: AST.Element, before: Lengths, building: Building): Part {
  switch (element.type) {
    case 'Character':
    case 'CharacterClass':
    case 'CharacterSet':
      return reading(element, building);
    case 'Group':
      if (element.modifiers !== null) throw new UnjudgedPattern(`${element.modifiers.raw} changes its flags`);
      return anyOf(element.alternatives, before, building);
    case 'CapturingGroup':
      return anyOf(element.alternatives, before, building);
    case 'Quantifier':
      return repeated(element, before, building);
    case 'Backreference':
      return referred(element, before, building);
    case 'Assertion':
      if (element.kind === 'lookahead' || element.kind === 'lookbehind')
        building.lookarounds.push({ node: element, places: before.max - before.min + 1 });
      // It reads nothing, and only takes ways away.
      return nothing;
    default:
      throw new UnjudgedPattern(`${element.raw} has no meaning here`);
  }
}

function reading(atom: Atom, { reads, atoms, edges }: Building): Part {
  if (reads.length > positionsMax) throw new UnjudgedPattern('it repeats too much');
  const known = atoms.get(atom.raw) ?? { index: atoms.size, atom };
  atoms.set(atom.raw, known);
  const position = reads.push(known.index) - 1;
  edges.push([]);
  return { first: [[position, 1]], last: [[position, 1]], empty: 0 };
}

/** A backreference reads what its group could read; where the group took no part, nothing. */
function referred(element: AST.Backreference, before: Lengths, building: Building): Part {
  const { resolved } = element;
  if (Array.isArray(resolved)) throw new UnjudgedPattern(`${element.raw} means several groups`);
  // Within its own group it has nothing to refer to yet.
  if (resolved.start < element.start && element.end <= resolved.end) return nothing;
  return either(anyOf(resolved.alternatives, before, building), nothing);
}

/** `A{n,m}` is A n times, and then up to m - n times more, of which none reads nothing (so ECMAScript has it). */
function repeated({ element, min, max }: AST.Quantifier, before: Lengths, building: Building): Part {
  const { textLengthMax } = building;
  const each = lengthsOf(element, textLengthMax);
  const part = (least: number, most: number) => {
    const read = timesLengths(each, least, most, textLengthMax);
    return partOf(element, addLengths(before, read, textLengthMax), building);
  };
  const always = Math.min(min, textLengthMax + 1);
  let whole = nothing;
  for (let times = 0; times < always; times++) {
    whole = followed(whole, part(times, times), building);
  }
  if (max === Number.POSITIVE_INFINITY) {
    const { first, last } = part(always, textLengthMax);
    connect(last, first, building);
    return followed(whole, { first, last, empty: 1 }, building);
  }
  let more = nothing;
  for (let times = Math.min(max - min, textLengthMax + 1); times > 0; times--) {
    const { first, last } = part(always, always + times - 1);
    connect(last, more.first, building);
    more = { first, last: [...last, ...more.last], empty: 1 };
  }
  return followed(whole, more, building);
}

function either(a: Part, b: Part): Part {
  return {
    first: [...a.first, ...b.first],
    last: [...a.last, ...b.last],
    empty: bounded(a.empty + b.empty),
  };
}

function followed(a: Part, b: Part, building: Building): Part {
  connect(a.last, b.first, building);
  return {
    first: [...a.first, ...inWays(b.first, a.empty)],
    last: [...b.last, ...inWays(a.last, b.empty)],
    empty: bounded(a.empty * b.empty),
  };
}

function inWays(edges: readonly Edge[], times: number): Edge[] {
  return times === 0 ? [] : edges.map(([position, ways]) => [position, bounded(ways * times)]);
}

function connect(last: readonly Edge[], first: readonly Edge[], building: Building): void {
  building.edgesCount += last.length * first.length;
  if (building.edgesCount > edgesMax) throw new UnjudgedPattern('it repeats too much');
  for (const [from, before] of last) {
    for (const [to, after] of first) building.edges[from]?.push([to, bounded(before * after)]);
  }
}

function bounded(ways: number): number {
  return Math.min(ways, waysMax);
}
