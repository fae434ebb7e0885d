import { isKeyId } from '../../../keys/key.ts';
import type { Api } from '../../api.ts';
import type { Key } from '../../api-answers.ts';
import { Refusal } from '../../refusal.ts';

/** The key that a page is about. Throws a {@link Refusal} where there is none that the caller may see. */
export async function keyOf({ api, id }: { readonly api: Api; readonly id: string }): Promise<Key> {
  return api.key(knownId(id));
}

/** The id of a path, if it has the form of one. */
export function knownId(id: string): string {
  if (!isKeyId(id)) throw new Refusal(404, 'KEY_NOT_FOUND', 'There is no key with this id.');
  return id;
}
