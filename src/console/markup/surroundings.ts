import type { Terms } from '../../admin/terms-operations.ts';
import type { Flash } from '../session/flash.ts';

/** What is around a page's own part. */
export interface Surroundings {
  /** The paths of the files that pages load. */
  readonly assets: { readonly style: string; readonly script: string; readonly icon: string };
  /** Who is signed in; null for nobody. */
  readonly terms: Terms | null;
  /** What they are called by; null for their actor. */
  readonly name: string | null;
  readonly token: string;
  /** The path of the page, which tells what of the navigation it is in. */
  readonly path: string;
  /** What the browser calls this instance by. */
  readonly host: string;
  /** The environment that it serves. */
  readonly environment: string;
  /** Whether they can sign out: not where something in front signs them in. */
  readonly canSignOut: boolean;
  /** What is told once of what led here; null for nothing. */
  readonly flash: Flash | null;
  /** Where a link leads back to; null for none. */
  readonly returnUrl: string | null;
}
