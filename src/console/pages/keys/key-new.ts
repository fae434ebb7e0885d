import { randomUUID } from 'node:crypto';
import type { Terms } from '../../../admin/terms-operations.ts';
import type { MadeKey } from '../../api-answers.ts';
import { createFindings, type Findings, send } from '../../faults.ts';
import { faultSummary, fieldsOf, post, selectField, textField } from '../../markup/controls.ts';
import { html, path } from '../../markup/markup.ts';
import { type Fault, faultsIn } from '../../refusal.ts';
import { secretView } from '../../session/secret.ts';
import type { Page, View, Visit } from '../../session/visit.ts';
import { someOwners } from '../owners/owner-search.ts';
import {
  chosenDate,
  expiryFields,
  labelsIn,
  requireFuture,
  requirePlan,
  sharedFields,
  shownFields,
  type Value,
  valueIn,
} from './key-fields.ts';
import { type Question, questionBoxes, questionsOf } from './key-questions.ts';
import { type LimitRow, limitFields, limitRowsIn, limitsIn } from './limit-fields.ts';

const adminScheme = 'postern';

/** Making a key, and its secret, this once. */
export const keyNewPage: Page = {
  path: '/keys/new',
  isForWriters: true,
  get: (visit) => formView(visit, () => '', [], { requestId: randomUUID(), limits: [], questions: [] }),
  post: createKey,
};

async function createKey(visit: Visit): Promise<View> {
  const { api, form } = visit;
  const shown = { requestId: form.text('request_id'), limits: limitRowsIn(form), questions: [] };
  try {
    const findings = createFindings();
    const call = { method: 'POST', path: 'api-keys', body: bodyOf(visit, findings) } as const;
    const questions = findings.faults.length > 0 ? [] : await questionsOf(visit);
    if (questions.length > 0) return formView(visit, valueIn(form), [], { ...shown, questions });
    const { data } = await send<{ data: MadeKey }>(api, call, findings, shownFields);
    return secretView(data, data.key === null ? 'This API key was made already' : 'API key created');
  } catch (error) {
    return formView(visit, valueIn(form), faultsIn(error), shown);
  }
}

function bodyOf({ form, terms, now }: Visit, { read }: Findings): object {
  const optional = (name: string) => form.text(name) || null;
  const expiresAt = read(() => chosenDate(form), null);
  read(() => requireFuture(expiresAt, now), undefined);
  read(() => requirePlan(form, terms, optional('scheme') ?? terms.schemes[0]?.name ?? null), undefined);
  const lifetime = optional('expires_in');
  return {
    name: form.text('name'),
    scheme: optional('scheme'),
    environment: optional('environment'),
    owner: optional('owner'),
    permissions: form.list('permissions'),
    roles: form.list('roles'),
    ip_allowlist: form.list('ip_allowlist'),
    principals: form.list('principals'),
    plan: optional('plan'),
    ...limitsIn(form),
    external_id: optional('external_id'),
    labels: read(() => labelsIn(form), {}),
    // Null would ask for no end.
    ...(expiresAt !== null && { expires_at: expiresAt }),
    ...(lifetime !== null && lifetime !== 'date' && expiresAt !== lifetime && { expires_in: lifetime }),
    request_id: optional('request_id'),
  };
}

interface Shown {
  readonly requestId: string;
  readonly limits: readonly LimitRow[];
  /** What is asked before the key is made. */
  readonly questions: readonly Question[];
}

async function formView(
  visit: Visit,
  value: Value,
  faults: readonly Fault[],
  { requestId, limits, questions }: Shown,
): Promise<View> {
  const { terms, token, form } = visit;
  const owners = await someOwners(visit);
  const field = fieldsOf(value, faults);
  const fields = html`${faultSummary(faults, shownFields)} ${questionBoxes(questions, form)}
    <input type="hidden" name="request_id" value=${requestId} />
    ${textField(field('name', 'Name', 'What the key is for, such as Production server.'), {
      ...{ required: true, maxlength: 200, autocomplete: 'off' },
    })}
    <div class="together">${schemeFields(terms, value, faults)}</div>
    ${
      terms.owner === null
        ? textField(field('owner', 'Owner', 'Whose key it is, if anybody’s.'), {
            ...{ maxlength: 128, autocomplete: 'off', list: 'owners' },
          })
        : html`<p>Owner: ${terms.owner}</p>`
    }
    <datalist id="owners">${owners.map((owner) => html`<option value=${owner}></option>`)}</datalist>
    ${expiryFields(value, faults, terms)} ${sharedFields(value, faults, terms)}
    ${terms.owner === null ? limitFields(limits, faults) : null}
    <div class="actions"><button>Create API key</button> <a href="/console/keys">Cancel</a></div>`;
  return {
    title: 'Create API key',
    trail: { href: '/console/keys', name: 'API Keys' },
    status: faults.length > 0 ? 400 : 200,
    main: post(path(['keys', 'new']), token, fields, 'Creating the API key…'),
  };
}

function schemeFields({ schemes: known }: Terms, value: Value, faults: readonly Fault[]) {
  const schemes = known.filter(({ imports_only }) => !imports_only);
  const environments = [...new Set(schemes.flatMap((scheme) => scheme.environments))];
  const firsts = [...new Set(schemes.map((scheme) => scheme.environments[0]))];
  // Admin keys are few: what most keys are of goes before their scheme.
  const [usual] = schemes.filter(({ name }) => name !== adminScheme);
  const chosen = value('scheme') || (usual ?? schemes[0])?.name || '';
  return html`${selectField(
    {
      name: 'scheme',
      label: 'Scheme',
      value: chosen,
      faults,
      hint: 'How the key looks, and where requests carry it.',
    },
    schemes.map(({ name, environments: known }) => ({
      ...{ value: name, text: name, data: { 'data-environments': known.join(' ') } },
    })),
  )}
  ${selectField({ name: 'environment', label: 'Environment', value: value('environment'), faults }, [
    { value: '', text: firsts.length === 1 ? `Default (${firsts[0]})` : 'The scheme’s default' },
    ...environments.map((name) => ({ value: name, text: name })),
  ])}`;
}
