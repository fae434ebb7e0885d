import { post, textField } from '../markup/controls.ts';
import { html } from '../markup/markup.ts';
import type { View } from '../session/visit.ts';

/** The form for an admin key. `problem` says why the last one was not taken, `note` why there is the form at all. */
export function signInView(token: string, { problem = '', note = '', status = 200 } = {}): View {
  const faults = problem === '' ? [] : [{ field: 'admin_key', description: problem }];
  const field = textField(
    {
      ...{ name: 'admin_key', label: 'Admin key', value: '', faults },
      hint: 'A key with the permission admin:read or admin:write. It stays in a cookie that no script can read.',
    },
    {
      ...{ type: 'password', autocomplete: 'current-password', required: true, autofocus: true },
      maxlength: adminKeyLengthMax,
    },
  );
  return {
    title: 'Sign in',
    status,
    main: html`${note === '' ? null : html`<p class="note" role="status">${note}</p>`}
    ${post('/console', token, html`${field}<button>Sign in</button>`, 'Signing in…')}`,
  };
}

/** As long as a browser's cookie can hold, sealed. */
export const adminKeyLengthMax = 2_048;

/** Whether this may be an admin key at all. */
export function isAdminKeyText(text: string): boolean {
  return text.length <= adminKeyLengthMax && /^[\x21-\x7e]+$/.test(text);
}
