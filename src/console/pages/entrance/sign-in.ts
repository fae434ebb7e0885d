import { post, textField } from '../../markup/controls.ts';
import { html, type Markup } from '../../markup/markup.ts';
import type { View } from '../../session/visit.ts';

/** How people sign in. */
export interface SignInWays {
  /** The OpenID provider that signs them in; null for none. */
  readonly provider: string | null;
  /** Whether admin keys are taken. */
  readonly takesAdminKeys: boolean;
}

/**
 * Where people sign in. `problem` says why the last admin key was not taken, `alert` why they are not signed in, `note`
 * why they are to sign in at all.
 */
export function signInView(
  token: string,
  { provider, takesAdminKeys }: SignInWays,
  { problem = '', alert = '', note = '', status = 200 } = {},
): View {
  const button = html`<p class="actions">
    <a class="button" role="button" href="/console/oidc">Sign in with ${provider}</a>
  </p>`;
  return {
    title: 'Sign in',
    status,
    ...(alert !== '' && { shownAs: '/console' }),
    main: html`${note === '' ? null : html`<p class="note" role="status">${note}</p>`}
    ${alert === '' ? null : html`<p class="warning" role="alert">${alert}</p>`}
    ${provider === null ? null : button}
    ${takesAdminKeys ? adminKeyForm(token, problem, provider === null) : null}`,
  };
}

function adminKeyForm(token: string, problem: string, autofocus: boolean): Markup {
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
  return post('/console', token, html`${field}<button>Sign in</button>`, 'Signing in…');
}

/** As long as a browser's cookie can hold, sealed. */
export const adminKeyLengthMax = 2_048;

/** Whether this may be an admin key at all. */
export function isAdminKeyText(text: string): boolean {
  return text.length <= adminKeyLengthMax && /^[\x21-\x7e]+$/.test(text);
}
