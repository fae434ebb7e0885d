import { z } from 'zod';
import { adminPermissions } from '../keys/admin-permissions.ts';
import { text } from './setting-forms.ts';

/** Who may make admin calls by a client certificate. */
export const adminClient = z
  .strictObject({
    name: text(
      /^(?:DNS|URI|email):[\x21\x23-\x2b\x2d-\x7e]{1,512}$/,
      'expected DNS:, URI: or email: and the name',
    ).describe(
      "A name of the certificate's subjectAltName, as in URI:spiffe://cluster.local/ns/ops/sa/deploy.",
    ),
    permissions: z.array(z.enum(adminPermissions)).min(1).describe('What it may do.'),
    owner: text(/^[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?$/, 'expected printable ASCII characters')
      .optional()
      .describe('The one owner whose keys it sees and changes (default: all).'),
  })
  .transform(({ owner, ...client }) => ({ ...client, owner: owner ?? null }));
