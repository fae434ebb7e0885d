import { adminRead, adminWrite } from '../../../keys/admin-permissions.ts';
import type { Form } from '../../markup/form.ts';
import { html, type Markup, path } from '../../markup/markup.ts';
import type { Visit } from '../../session/visit.ts';
import { countKeys } from '../owners/owner-figures.ts';
import { findOwner, ownerLike } from '../owners/owner-search.ts';

/** What is asked before a key is made; it is answered by a box, whose value is what was asked about. */
export interface Question {
  readonly name: string;
  readonly value: string;
  readonly words: string;
  readonly more: Markup;
}

/** Of what the form says that it may not mean, or not know: those that it does not answer. */
export async function questionsOf(visit: Visit): Promise<readonly Question[]> {
  const { form } = visit;
  const asked = [adminQuestion(visit), await ownerQuestion(visit)];
  return asked.filter((question) => question !== null).filter(({ name, value }) => form.text(name) !== value);
}

/** Boxes of questions, those that were answered before among them. */
export function questionBoxes(questions: readonly Question[], form: Form): Markup {
  const answered = ['confirm_admin', 'confirm_owner'].filter(
    (name) => form.text(name) !== '' && !questions.some((question) => question.name === name),
  );
  const hidden = answered.map((name) => html`<input type="hidden" name=${name} value=${form.text(name)} />`);
  if (questions.length === 0) return hidden;
  return html`${hidden}
    <div class="warning" role="alert">
      <p><strong>Nothing was made yet.</strong> Say that you mean this, and send the form again:</p>
      ${questions.map(
        ({ name, value, words, more }) => html`<div class="check">
            <input type="checkbox" id=${name} name=${name} value=${value} />
            <label for=${name}>${words}</label>
          </div>
          ${more}`,
      )}
    </div>`;
}

const adminWords: Readonly<Record<string, string>> = {
  [adminRead]: 'may read every key, owner and entry of the audit log',
  [adminWrite]: 'may make, change and revoke every key, and make more keys like itself',
};

/** Who may not give these permissions is told so by the API. */
function adminQuestion({ form, terms }: Visit): Question | null {
  const given = form.list('permissions').filter((permission) => permission in adminWords);
  if (given.length === 0 || !terms.permissions.includes(adminWrite)) return null;
  const strongest = given.includes(adminWrite) ? adminWrite : adminRead;
  const owner = terms.owner ?? form.text('owner');
  const bound = owner === '' ? '' : `, of the owner ${owner} alone`;
  return {
    ...{ name: 'confirm_admin', value: strongest, more: null },
    words: `${strongest}: whoever has this key ${adminWords[strongest]}${bound}`,
  };
}

/** Where nobody has put any owner, and for one that keys name already, there is nothing to ask. */
async function ownerQuestion({ api, form, terms, may }: Visit): Promise<Question | null> {
  const id = form.text('owner');
  if (id === '' || terms.owner !== null || !may('ListOwners') || /^\.{1,2}$/.test(id)) return null;
  if ((await findOwner(api, id)) !== null || (await countKeys(api, id)) > 0) return null;
  if ((await api.owners('page_size=1')).data.length === 0) return null;
  const meant = await ownerLike(api, id);
  const words = `There is no owner “${id}” yet: make the key for it all the same`;
  const more =
    meant === null ? null : html`<p>Did you mean <a href=${path(['owners', meant])}>${meant}</a>?</p>`;
  return { name: 'confirm_owner', value: id, words, more };
}
