import { isKeyId } from '../../../keys/key.ts';
import type { Api } from '../../api.ts';
import type { AuditEvent, Key, Page } from '../../api-answers.ts';
import { Refusal } from '../../refusal.ts';
import { wellKnownActor } from './names.ts';

/** Keys of one name that are looked for, and as many people. */
const namesakesMax = 10;
/** Sign-ins among which a person is looked for, the newest. */
const signInsMax = 500;

/**
 * The ids that the journal may have for what somebody calls by an id, by the name of a key, in any case, or by an
 * e-mail. The text itself is one of them: an owner or a role is called by its id. Keys of just this name go before those that have
 * it in theirs.
 */
export async function idsMeant(api: Api, text: string, as: 'actor' | 'target'): Promise<readonly string[]> {
  if (isKeyId(text)) return [text];
  const known = as === 'actor' ? wellKnownActor(text) : null;
  if (known !== null) return [known];
  const [keys, people] = await Promise.all([
    keysCalled(api, text),
    as === 'actor' ? peopleCalled(api, text) : [],
  ]);
  return [...new Set([text, ...keys, ...people])];
}

async function keysCalled(api: Api, text: string): Promise<readonly string[]> {
  try {
    const query = new URLSearchParams({ name_contains: text, page_size: '100' });
    const { data } = await api.call<Page<Key>>('GET', `api-keys?${query}`);
    const isSame = ({ name }: Key) => folded(name) === folded(text);
    const namesakes = data.some(isSame) ? data.filter(isSame) : data;
    return namesakes.slice(0, namesakesMax).map(({ id }) => id);
  } catch (error) {
    // No name of a key, or whoever asks may not list them: it may be an id all the same.
    if (error instanceof Refusal && error.status < 500) return [];
    throw error;
  }
}

/** Whoever signs in by a provider is known by their e-mail there alone. */
async function peopleCalled(api: Api, text: string): Promise<readonly string[]> {
  if (!text.includes('@')) return [];
  const query = new URLSearchParams({ action: 'SignIn', outcome: 'ok', page_size: String(signInsMax) });
  const { data } = await api.call<Page<AuditEvent>>('GET', `audit-events?${query}`);
  const found = data.filter(({ actor_name: name }) => folded(name ?? '') === folded(text));
  const ids = found.flatMap(({ actor }) => (actor === null ? [] : [actor]));
  return [...new Set(ids)].slice(0, namesakesMax);
}

function folded(name: string): string {
  return name.normalize('NFKC').toLowerCase();
}
