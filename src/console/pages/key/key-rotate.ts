import { randomUUID } from 'node:crypto';
import type { Terms } from '../../../admin/terms-operations.ts';
import type { RotatedKey } from '../../api-answers.ts';
import { createFindings, send } from '../../faults.ts';
import { faultSummary, post, selectField } from '../../markup/controls.ts';
import { html, path, timeMarkup } from '../../markup/markup.ts';
import { type Fault, faultsIn, Refusal } from '../../refusal.ts';
import { secretView } from '../../session/secret.ts';
import type { Page, View, Visit } from '../../session/visit.ts';
import { chosenDate, expiryFields, requireFuture, type Value, valueIn } from '../keys/key-fields.ts';
import { masked } from '../keys/key-shown.ts';
import { settledMarkup } from '../settled.ts';
import { unrotatableView } from './ended-view.ts';
import { keyOf } from './key-of.ts';
import { ownKeyWarning } from './own-key.ts';

const graces = [
  { value: '1h', text: '1 hour' },
  { value: '0s', text: 'Not at all' },
  { value: '15m', text: '15 minutes' },
  { value: '1d', text: '1 day' },
  { value: '7d', text: '7 days' },
  { value: '30d', text: '30 days' },
];
const shownFields = ['grace_period', 'expires_in', 'expires_on', 'expires_at'];
const same = { value: '', text: 'As that of the old key' };

/** A new secret in the place of an old one, which goes on for a while. */
export const keyRotatePage: Page = {
  path: '/keys/:id/rotate',
  isForWriters: true,
  get: async (visit) => unrotatableView(await keyOf(visit)) ?? formView(visit, () => '', [], randomUUID()),
  post: rotateKey,
};

async function rotateKey(visit: Visit): Promise<View> {
  const { api, form } = visit;
  const { id } = await keyOf(visit);
  try {
    const lifetime = form.text('expires_in');
    const findings = createFindings();
    const expires_at = findings.read(() => chosenDate(form), null);
    findings.read(() => requireFuture(expires_at, visit.now), undefined);
    const body = {
      ...{ grace_period: form.text('grace_period') || null, request_id: form.text('request_id') || null },
      ...{ expires_at, expires_in: lifetime === 'date' || lifetime === '' ? null : lifetime },
    };
    const call = { method: 'POST', path: `api-keys/${id}/rotate`, body } as const;
    const { data } = await send<{ data: RotatedKey }>(api, call, findings, shownFields);
    return rotatedView(data, visit.terms);
  } catch (error) {
    // A form that was open when the key ended, or was rotated by somebody else.
    const over =
      error instanceof Refusal && error.status === 409 ? unrotatableView(await keyOf(visit)) : null;
    if (over !== null) return { ...over, status: 409 };
    return formView(visit, valueIn(form), faultsIn(error), form.text('request_id'));
  }
}

function rotatedView(made: RotatedKey, terms: Terms): View {
  const { rotated_key: old, effective_at } = made;
  const ends =
    old === null
      ? null
      : html`<p>The old key, <code>${masked(old)}</code>, works until ${timeMarkup(old.expires_at ?? effective_at)}.</p>`;
  const isRepeated = made.key === null;
  return secretView(
    made,
    isRepeated ? 'This API key was rotated already' : 'API key rotated',
    html`${ends} ${settledMarkup(made, terms)}`,
  );
}

async function formView(
  visit: Visit,
  value: Value,
  faults: readonly Fault[],
  requestId: string,
): Promise<View> {
  const key = await keyOf(visit);
  const fields = html`${faultSummary(faults, shownFields)}
    <input type="hidden" name="request_id" value=${requestId} />
    ${selectField(
      {
        ...{ name: 'grace_period', label: 'The old key works for', value: value('grace_period'), faults },
        hint: 'Long enough to bring the new key to all that use the old one.',
      },
      graces,
    )}
    ${expiryFields(value, faults, visit.terms, same)}
    <div class="actions"><button>Rotate API key</button> <a href=${path(['keys', key.id])}>Cancel</a></div>`;
  return {
    title: `Rotate “${key.name}”`,
    status: faults.length > 0 ? 400 : 200,
    main: html`${ownKeyWarning([key.id], visit.terms, 'You stay signed in while the old key works. Copy the new one, and sign in with it before then.')}
      <p>Makes a new API key with the same permissions in the place of <code>${masked(key)}</code>.</p>
      ${post(path(['keys', key.id, 'rotate']), visit.token, fields, 'Rotating…')}`,
  };
}
