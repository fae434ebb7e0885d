import { post, textField } from '../../markup/controls.ts';
import { html, type Markup, path } from '../../markup/markup.ts';
import type { View } from '../../session/visit.ts';
import { resumeView } from './resume.ts';

/** How people sign in. */
export interface SignInWays {
  /** The OpenID provider that signs them in; null for none. */
  readonly provider: string | null;
  /** Whether admin keys are taken. */
  readonly takesAdminKeys: boolean;
}

/**
 * Where people sign in. `problem` says why the last admin key was not taken, `alert` why they are not signed in, `note`
 * why they are to sign in at all, `next` where they go on to then; `kept` is a form that they had filled in.
 */
export function signInView(
  token: string,
  { provider, takesAdminKeys }: SignInWays,
  { problem = '', alert = '', note = '', next = '', kept = '', status = 200 } = {},
): View {
  const button = html`<p class="actions">
    <a
      ...${{ class: 'button', role: 'button', href: path(['oidc'], { next }) }}
      ...${kept === '' ? {} : { target: '_blank', rel: 'noopener' }}
      >Sign in with ${provider}</a
    >
  </p>`;
  return {
    title: 'Sign in',
    status,
    isError: problem !== '' || alert !== '',
    ...((alert !== '' || kept !== '') && { shownAs: '/console' }),
    main: html`${note === '' ? null : html`<p class="note" role="status">${note}</p>`}
    ${alert === '' ? null : html`<p class="warning" role="alert">${alert}</p>`}
    ${provider === null ? null : button} ${provider === null || kept === '' ? null : resumeView(kept)}
    ${takesAdminKeys ? adminKeyForm(token, { problem, next, kept }, provider === null) : null}`,
  };
}

function adminKeyForm(
  token: string,
  { problem, next, kept }: { readonly problem: string; readonly next: string; readonly kept: string },
  autofocus: boolean,
): Markup {
  const faults = problem === '' ? [] : [{ field: 'admin_key', description: problem }];
  const field = textField(
    {
      ...{ name: 'admin_key', label: 'Admin key', value: '', faults },
      hint: 'A key with the permission admin:read or admin:write. It stays in a cookie that no script can read.',
    },
    {
      ...{ type: 'password', autocomplete: 'current-password', required: true, autofocus },
      maxlength: adminKeyLengthMax,
    },
  );
  const hidden = (name: string, value: string) =>
    value === '' ? null : html`<input type="hidden" name=${name} value=${value} />`;
  return post(
    '/console',
    token,
    html`${hidden('next', next)}${hidden('kept', kept)}${field}<button>Sign in</button>`,
    'Signing in…',
  );
}

/** As long as a browser's cookie can hold, sealed. */
export const adminKeyLengthMax = 2_048;

/** Whether this may be an admin key at all. */
export function isAdminKeyText(text: string): boolean {
  return text.length <= adminKeyLengthMax && /^[\x21-\x7e]+$/.test(text);
}
