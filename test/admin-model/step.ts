/** One thing that somebody does. Keys, tokens and events are named by numbers, which the model looks up. */
export type Step = { readonly who: Who; readonly requestId: string | null } & (
  | { readonly kind: 'create'; readonly wish: KeyWish; readonly request: string | null }
  | { readonly kind: 'get'; readonly key: number }
  | { readonly kind: 'revoke'; readonly key: number }
  | { readonly kind: 'disable'; readonly key: number }
  | { readonly kind: 'enable'; readonly key: number }
  | { readonly kind: 'list'; readonly filter: KeyFilter; readonly page: Page }
  | { readonly kind: 'usage'; readonly key: number; readonly sinceHours: number | null }
  | { readonly kind: 'use'; readonly key: number; readonly allowed: number; readonly denied: number }
  | { readonly kind: 'verify'; readonly secret: Presented; readonly terms: Terms }
  | {
      readonly kind: 'update';
      readonly key: number;
      readonly patch: Patch;
      readonly etag: Etag;
    }
  | {
      readonly kind: 'rotate';
      readonly key: number;
      readonly graceMs: number | null;
      readonly expiry: Expiry;
      readonly request: string | null;
    }
  | { readonly kind: 'import'; readonly rows: readonly Row[]; readonly isDryRun: boolean }
  | { readonly kind: 'leak'; readonly secret: Presented }
  | {
      readonly kind: 'putOwner';
      readonly id: string;
      readonly plan: string | null;
      readonly activeForMs: number | null;
      readonly suspended: boolean;
    }
  | {
      readonly kind: 'updateOwner';
      readonly id: string;
      readonly patch: OwnerWish;
      readonly etag: Etag;
    }
  | { readonly kind: 'getOwner'; readonly id: string }
  | { readonly kind: 'listOwners'; readonly page: Page }
  | {
      readonly kind: 'putRole';
      readonly id: string;
      readonly description: string | null;
      readonly permissions: readonly string[];
      readonly etag: Etag;
    }
  | { readonly kind: 'deleteRole'; readonly id: string; readonly etag: Etag }
  | { readonly kind: 'getRole'; readonly id: string }
  | { readonly kind: 'listRoles'; readonly page: Page }
  | { readonly kind: 'audit'; readonly filter: AuditFilter; readonly page: Page }
  | { readonly kind: 'watch'; readonly after: number; readonly types: readonly string[] }
  | { readonly kind: 'diagnostics' }
  /** For so long, or until just before the next thing ends. */
  | { readonly kind: 'wait'; readonly ms: number | 'end' }
);

/** Absent members stay as they are. */
export interface OwnerWish {
  readonly plan?: string | null;
  readonly activeForMs?: number | null;
  readonly suspended?: boolean;
}

export type StepOf<Kind extends Step['kind']> = Extract<Step, { readonly kind: Kind }>;

/** The admin key of the settings, nobody, or whoever holds a key. */
export type Who = 'root' | 'nobody' | number;

export interface KeyWish {
  readonly word: string;
  readonly scheme: string | null;
  readonly environment: string | null;
  readonly owner: string | null;
  readonly permissions: readonly string[];
  readonly ipAllowlist: readonly string[];
  readonly expiry: Expiry;
  readonly plan: string | null;
  readonly rateLimit: RateLimit | null;
  readonly labels: Readonly<Record<string, string>>;
}

export interface RateLimit {
  readonly limit: number;
  readonly windowMs: number;
}

/** Milliseconds from now, as a duration or as a time; none of it, never, or two at once, which is one too many. */
export type Expiry = 'none' | 'never' | 'both' | { readonly in: number } | { readonly at: number };

/** The secret of a key, one that is nobody's yet, or none at all. */
export type Presented = { readonly key: number } | { readonly spare: number } | 'rubbish';

export interface Row {
  readonly secret: Presented;
  readonly as: 'secret' | 'sha256';
  readonly owner: string | null;
  readonly permissions: readonly string[];
  readonly expiresInMs: number | null;
  readonly disabled: boolean;
}

export interface Terms {
  readonly environment: string | null;
  readonly address: string | null;
  readonly permissions: readonly string[];
}

/** Absent members stay, null empties. */
export interface Patch {
  readonly word?: string;
  readonly permissions?: readonly string[] | null;
  readonly ipAllowlist?: readonly string[] | null;
  /** Milliseconds from now. */
  readonly expiresIn?: number | null;
  readonly plan?: string | null;
  readonly rateLimit?: RateLimit | null;
  readonly labels?: Readonly<Record<string, string>> | null;
}

/** None, that of the key, that of the key before its last change. */
export type Etag = 'none' | 'right' | 'stale';

export interface KeyFilter {
  readonly owner?: string;
  readonly scheme?: string;
  readonly environment?: string;
  readonly state?: string;
  readonly permission?: string;
  readonly name_contains?: string;
}

export interface AuditFilter {
  readonly owner?: string;
  readonly actor?: number;
  readonly action?: string;
  readonly target?: number;
  readonly outcome?: string;
  /** Places in the journal. */
  readonly since?: number;
  readonly until?: number;
  readonly order?: string;
  readonly after?: number;
}

/** A page of a size, after the token that was given that many tokens ago, of whatever list. */
export interface Page {
  readonly size: number | null;
  readonly token: number | null;
}
