import { hasLabel } from '../../../keys/label-text.ts';
import { nearestName } from '../../../settings/nearest-name.ts';
import type { Api } from '../../api.ts';
import type { Owner } from '../../api-answers.ts';
import { Refusal } from '../../refusal.ts';
import type { Visit } from '../../session/visit.ts';

const pageSize = 1_000;
/** Owners that a search looks through; whoever has more names one by its whole id. */
const searchedMax = 10_000;
const foundMax = 100;

const ownersOffered = 200;

/** Ids of owners to choose from; who may not list owners is offered none. */
export async function someOwners({ api, terms, may }: Visit): Promise<readonly string[]> {
  if (terms.owner !== null || !may('ListOwners')) return [];
  const { data } = await api.owners(`page_size=${ownersOffered}`);
  return data.map(({ id }) => id);
}

/** Null for one that nobody has put. */
export async function findOwner(api: Api, id: string): Promise<Owner | null> {
  try {
    return (await api.call<{ data: Owner }>('GET', `owners/${encodeURIComponent(id)}`)).data;
  } catch (error) {
    if (error instanceof Refusal && error.reason === 'OWNER_NOT_FOUND') return null;
    throw error;
  }
}

/** Owners with this text in their id, name or plan, or with a label whose value begins so, alone or as `name=value`. */
export async function searchOwners(api: Api, text: string): Promise<readonly Owner[]> {
  const wanted = folded(text);
  const found: Owner[] = [];
  for await (const owner of everyOwner(api)) {
    const isNamed = [owner.id, owner.name ?? '', owner.plan ?? ''].some((part) =>
      folded(part).includes(wanted),
    );
    if (isNamed || hasLabel(owner.labels, text)) found.push(owner);
    if (found.length >= foundMax) return found;
  }
  if (found.length > 0) return found;
  const exact = /^\.{0,2}$/.test(text) ? null : await findOwner(api, text);
  return exact === null ? [] : [exact];
}

/** The owner whose id was meant by one that nobody has put; null where there is none like it. */
export async function ownerLike(api: Api, id: string): Promise<string | null> {
  const known: string[] = [];
  for await (const owner of everyOwner(api)) known.push(owner.id);
  return nearestName(id, known);
}

async function* everyOwner(api: Api): AsyncGenerator<Owner> {
  let token: string | null = null;
  for (let seen = 0; seen < searchedMax; seen += pageSize) {
    const query: URLSearchParams = new URLSearchParams({ page_size: String(pageSize) });
    if (token !== null) query.set('page_token', token);
    const { data, next_page_token } = await api.owners(query.toString());
    yield* data;
    if (next_page_token === null) return;
    token = next_page_token;
  }
}

function folded(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}
