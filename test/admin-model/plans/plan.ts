import type { Answered, Ask, Operation } from '../ask.ts';
import { Learned } from '../learned.ts';
import {
  type Identity,
  invalid,
  type Model,
  type ModelEvent,
  type ModelKey,
  missing,
  type Token,
} from '../model.ts';
import type { Page, Presented } from '../step.ts';

/** A call and what is to come of it. */
export interface Plan {
  readonly ask: Ask;
  readonly needs: 'read' | 'write';
  /** Changes the model as the call is to change the service; throws `Refusal` where it is to be refused. */
  readonly predict: (identity: Identity) => Prediction;
}

export interface Prediction {
  readonly value: unknown;
  /** Whether the answer says from when on the change holds everywhere. */
  readonly settles?: 'always' | 'never' | 'maybe';
  /** The changes to be in the journal, oldest first. */
  readonly changes?: readonly Change[];
  /** Learns from the answer; tells what is wrong with it. */
  readonly learn?: (answer: Answered) => readonly string[];
}

export type Change = Pick<ModelEvent, 'target' | 'target_name' | 'owner' | 'before' | 'after'>;

/** An id of the right form that no key has. */
const noKey = `key_${'0'.repeat(26)}`;

/** The key that a step names by a number; now and then one that is not there. */
export function keyAt(model: Model, number: number): { readonly id: string; readonly key: ModelKey | null } {
  if (number % 23 === 22) return { id: noKey, key: null };
  if (number % 97 === 96) return { id: '$ne', key: null };
  const key = model.keys[number % Math.max(1, model.keys.length)];
  if (key === undefined || key.isMark || key.id.value === null) return { id: noKey, key: null };
  return { id: key.id.value, key };
}

/** Throws what one who may not know of the key, or knows of none, is told. */
export function seen(identity: Identity, key: ModelKey | null): ModelKey {
  if (key === null || (identity.owner !== null && key.owner !== identity.owner)) throw missing();
  return key;
}

/** The text that is presented, and the key that has it. */
export function presentedBy(model: Model, presented: Presented): { text: string; key: ModelKey | null } {
  if (presented === 'rubbish') return { text: 'no key of any scheme', key: null };
  if ('key' in presented) {
    const { key } = keyAt(model, presented.key);
    const text = key?.secret.value ?? null;
    return text === null ? { text: 'no key of any scheme', key: null } : { text, key };
  }
  const spare = model.spares[presented.spare % model.spares.length];
  const text = spare?.text ?? '';
  return { text, key: model.keys.find(({ secret }) => secret.value === text) ?? null };
}

/** The members without those that are null. */
export function present(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== null && value !== undefined),
  );
}

/** What of a page's token goes into the call: the newest given are the likeliest. */
export function tokenAt(model: Model, { token }: Page): string | null {
  return token === null ? null : (model.tokens.at(-1 - token)?.text ?? null);
}

/** Where a list goes on; null for its beginning. Throws for a token of another list. */
export function placeAfter(model: Model, text: string | null, query: string): Token['last'] | null {
  if (text === null) return null;
  const token = model.tokens.find((known) => known.text === text && known.query === query);
  if (token === undefined) throw invalid('page_token');
  return token.last;
}

/** The list as a page of it is to be; where more is left, its token is learned. */
export function pageOf<Item>(
  model: Model,
  rest: readonly Item[],
  { size }: Page,
  of: {
    readonly query: string;
    readonly show: (item: Item) => unknown;
    readonly placeOf: (item: Item) => Token['last'];
  },
): Prediction {
  const shown = rest.slice(0, size === null || size === 0 ? 100 : Math.min(size, 1_000));
  const last = shown.at(-1);
  const token = rest.length > shown.length && last !== undefined ? new Learned() : null;
  return {
    value: { data: shown.map(of.show), next_page_token: token },
    learn() {
      if (token?.value == null || last === undefined) return [];
      model.tokens.push({ text: token.value, query: of.query, last: of.placeOf(last) });
      return [];
    },
  };
}

export function asking(operation: Operation, input: Readonly<Record<string, unknown>>, id?: string): Ask {
  return id === undefined ? { operation, input } : { operation, input, id };
}
