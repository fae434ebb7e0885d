import { z } from 'zod';
import { portalPermissions } from '../../keys/portal-session.ts';
import { durationSpec } from '../../settings/keys/plan-spec.ts';
import { line, none, owner } from '../admin-fields.ts';

const lifeMsDefault = 3_600_000;
const lifeMs = { min: 1_000, max: 24 * 3_600_000 };

const life = durationSpec.refine(
  (ms) => ms >= lifeMs.min && ms <= lifeMs.max,
  'must be a duration from 1s to 24h',
);

/** An address that a browser can be led to, with no name and password in it. */
const webAddress = line(2_048).refine(isWebAddress, 'is not an http or https URL without user and password');

/** `POST /admin/portal-sessions` and CreatePortalSessionRequest. */
export const createPortalSessionInput = z.strictObject({
  owner: none(owner),
  permissions: z.array(z.enum(portalPermissions)).min(1).max(100),
  return_url: none(webAddress),
  expires_in: life.nullish().transform((ms) => ms ?? lifeMsDefault),
});

function isWebAddress(text: string): boolean {
  const url = URL.parse(text);
  // A browser strips blanks, and reads `\` as `/`: what is compared is to be what it goes to.
  if (url === null || /[\s\\]/.test(text) || !['http:', 'https:'].includes(url.protocol)) return false;
  const authority = /^[^:]+:\/\/([^/?#]*)/.exec(text)?.[1] ?? '@';
  return !authority.includes('@');
}
