import { z } from 'zod';
import { formatSeconds, formatTimeMs, parseTime } from '../../time/time.ts';
import type { AdminApi } from '../admin.ts';

const time = z.string().transform((text) => parseTime(text) ?? 0);

const heldKey = z.object({
  id: z.string(),
  name: z.string(),
  prefix: z.string(),
  last4: z.string(),
  permissions: z.array(z.string()),
  created_at: time,
  expires_at: time.nullable(),
  owner: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  state: z.enum(['active', 'disabled', 'revoked', 'expired']),
  rotated_from: z.string().nullable(),
  roles: z.array(z.string()).default([]),
  external_id: z.string().nullish(),
  replaced_by: z.string().nullish(),
});

/** A key as the admin API shows it; times are Unix milliseconds. */
export type HeldKey = z.output<typeof heldKey>;

/** A key that was made, and its secret: null where an earlier call of the same name made it. */
export interface MadeKey {
  readonly key: HeldKey;
  readonly secret: string | null;
}

export interface RotateOptions {
  /** How long the old key goes on. */
  readonly graceMs: number;
  readonly requestId: string;
  /** How long the new one lives; null for ever, or as Postern's rules say. */
  readonly lifeMs: number | null;
}

/** The keys of Postern, for what the controller does with them. Throws an `AdminProblem`. */
export interface HeldKeys {
  get(id: string): Promise<HeldKey | null>;
  /** The one key of an owner that has this external id and is not revoked. */
  byExternalId(owner: string, externalId: string): Promise<HeldKey | null>;
  bySecret(secret: string): Promise<HeldKey | null>;
  /** All of an owner that may be used, or were disabled. */
  ofOwner(owner: string): AsyncGenerator<HeldKey, void>;
  create(body: Readonly<Record<string, unknown>>): Promise<MadeKey>;
  rotate(id: string, options: RotateOptions): Promise<MadeKey>;
  update(id: string, body: Readonly<Record<string, unknown>>): Promise<HeldKey>;
  enable(id: string): Promise<HeldKey>;
  /** One that is no more is as good as revoked. */
  revoke(id: string): Promise<void>;
  /** Says from when on a key is expired. */
  endAt(id: string, at: number): Promise<void>;
}

const one = z.object({ data: heldKey });
const made = z.object({ data: z.looseObject({ key: z.string().nullish() }) });
const page = z.object({ data: z.array(heldKey), next_page_token: z.string().nullable() });

const base = '/admin/api-keys';
const pathOf = (id: string) => `${base}/${encodeURIComponent(id)}`;

export function createHeldKeys(admin: AdminApi): HeldKeys {
  return {
    get: async (id) => oneOrNull(await admin.call('GET', pathOf(id))),
    async byExternalId(owner, externalId) {
      for await (const key of list({ owner, external_id: externalId })) {
        if (key.owner === owner && key.external_id === externalId && key.state !== 'revoked') return key;
      }
      return null;
    },
    bySecret: async (secret) => oneOrNull(await admin.call('POST', `${base}:find`, { key: secret })),
    async *ofOwner(owner) {
      yield* list({ owner, state: 'active' });
      yield* list({ owner, state: 'disabled' });
    },
    create: async (body) => madeOf(await admin.call('POST', base, body)),
    async rotate(id, { graceMs, requestId, lifeMs }) {
      const life = lifeMs === null ? {} : { expires_in: formatSeconds(lifeMs) };
      const body = { grace_period: formatSeconds(graceMs), request_id: requestId, ...life };
      return madeOf(await admin.call('POST', `${pathOf(id)}/rotate`, body));
    },
    update: async (id, body) => one.parse(await admin.call('PATCH', pathOf(id), body)).data,
    enable: async (id) => one.parse(await admin.call('POST', `${pathOf(id)}/enable`)).data,
    async revoke(id) {
      await admin.call('DELETE', pathOf(id));
    },
    async endAt(id, at) {
      await admin.call('PATCH', pathOf(id), { expires_at: formatTimeMs(at) });
    },
  };

  async function* list(filters: Readonly<Record<string, string>>): AsyncGenerator<HeldKey, void> {
    let token: string | null = null;
    do {
      const query = new URLSearchParams({
        ...filters,
        page_size: '1000',
        ...(token !== null && { page_token: token }),
      });
      const found: z.output<typeof page> = page.parse(await admin.call('GET', `${base}?${query}`));
      yield* found.data;
      token = found.next_page_token;
    } while (token !== null);
  }
}

function oneOrNull(answer: unknown): HeldKey | null {
  return answer === null ? null : one.parse(answer).data;
}

function madeOf(answer: unknown): MadeKey {
  return { key: one.parse(answer).data, secret: made.parse(answer).data.key ?? null };
}
