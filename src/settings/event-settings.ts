import { createPublicKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { type EventType, eventTypes } from '../events/events.ts';
import type { WebhookSettings } from '../events/webhook.ts';
import type { ConfigProblem } from './config-problem.ts';
import type { SecretSettings, Secrets } from './secret-settings.ts';
import { duration, wholeNumber } from './setting-forms.ts';

const urlError = 'expected an http:// or https:// URL without a user and a password';
const keyError = 'expected a P-256 public key as PEM, as GitHub publishes it';

const webhookUrl = z
  .string({ error: urlError })
  .meta({ pattern: '^https?://' })
  .transform((text, context): URL => {
    const url = URL.parse(text);
    const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:';
    if (url !== null && isHttp && url.username === '' && url.password === '') return url;
    context.addIssue(urlError);
    return z.NEVER;
  });

const keysUrlError = 'expected an http:// or https:// URL without a user and a password, or none';

/** Where GitHub lists the keys that it signs its reports by. */
const githubKeysUrl = 'https://api.github.com/meta/public_keys/secret_scanning';

const keysUrl = z
  .string({ error: keysUrlError })
  .meta({ pattern: '^(?:https?://|none$)' })
  .transform((text, context): URL | 'none' => {
    if (text === 'none') return text;
    const url = URL.parse(text);
    const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:';
    if (url !== null && isHttp && url.username === '' && url.password === '') return url;
    context.addIssue(keysUrlError);
    return z.NEVER;
  });

const githubKey = z
  .string({ error: keyError })
  .meta({ pattern: '^\\s*-----BEGIN PUBLIC KEY-----' })
  .transform((pem, context): KeyObject => {
    const key = publicKeyOf(pem);
    if (key !== null) return key;
    context.addIssue(keyError);
    return z.NEVER;
  });

/** What is told of what happens, and to whom. */
export const eventsSpec = z.strictObject({
  log: z.boolean().default(true).describe('Whether each event is a line of the log, on one replica.'),
  types: z
    .array(
      z.enum(eventTypes, { error: `expected a type of events, as in ${eventTypes[0]} or ${eventTypes[5]}` }),
    )
    .min(1)
    .optional()
    .describe('The types of events that are logged and sent (default: all).'),
  webhook: z
    .strictObject({
      url: webhookUrl
        .optional()
        .describe('Where events are sent, signed by POSTERN_WEBHOOK_SECRET (default: nowhere).'),
    })
    .prefault({})
    .describe('Events as Standard Webhooks.'),
  many_failures: z
    .strictObject({
      count: wholeNumber(1, 1_000_000).default(100).describe('So many failures are many.'),
      window: duration(1_000, 86_400_000).prefault('60s').describe('The time in which they are counted.'),
    })
    .prefault({})
    .describe('When failed Checks from one address are told.'),
});

/** Who may report leaked keys besides those who hold an admin key. */
export const leaksSpec = z.strictObject({
  github: z
    .strictObject({
      public_keys: z
        .record(z.string().regex(/^[\x21-\x7e]{1,128}$/), githubKey)
        .prefault({})
        .describe(
          "GitHub's public keys for secret scanning, by their identifiers, beside those of its list (default: none).",
        ),
      keys_url: keysUrl
        .optional()
        .describe(
          `Where GitHub lists its public keys, or none; the list is fetched when a report comes (default: ${githubKeysUrl}, or none where there are public_keys).`,
        ),
    })
    .prefault({})
    .describe("GitHub's secret scanning partner program: its reports to POST /leaks/github."),
});

/** The P-256 key in a PEM; null where there is none. */
export function publicKeyOf(pem: string): KeyObject | null {
  // Of a private key Node would make the public one, too.
  if (!pem.trimStart().startsWith('-----BEGIN PUBLIC KEY-----')) return null;
  try {
    const key = createPublicKey(pem);
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : null;
  } catch {
    return null;
  }
}

/** The keys that GitHub signs its reports by; with neither its reports are not taken. */
export interface GithubSource {
  /** By their identifiers. */
  readonly pinned: ReadonlyMap<string, KeyObject>;
  /** Where its list is fetched from; null for nowhere. */
  readonly url: URL | null;
}

/** Who pins keys trusts those alone, unless a list is named. */
export function githubSource({
  public_keys,
  keys_url: url,
}: z.output<typeof leaksSpec>['github']): GithubSource {
  const pinned = new Map(Object.entries(public_keys));
  if (url === 'none') return { pinned, url: null };
  if (url !== undefined) return { pinned, url };
  return { pinned, url: pinned.size > 0 ? null : new URL(githubKeysUrl) };
}

export interface EventConfig {
  /** Whether each is a line of the log. */
  readonly log: boolean;
  /** The types that are logged and sent; null for all. */
  readonly types: ReadonlySet<EventType> | null;
  readonly webhook: WebhookSettings | null;
  /** So many failures from one address within the window are told. */
  readonly manyFailures: { readonly failures: number; readonly windowMs: number };
}

type Events = z.output<typeof eventsSpec>;

/** A webhook whose messages nobody could check. */
export function unsignedWebhook(
  events: Events | undefined,
  { webhookSecret }: SecretSettings,
): ConfigProblem[] {
  if (events?.webhook.url === undefined || webhookSecret !== undefined) return [];
  const message = 'needs POSTERN_WEBHOOK_SECRET, or POSTERN_WEBHOOK_SECRET_FILE: what is sent is signed';
  return [{ path: ['events', 'webhook', 'url'], message }];
}

/** The settings of events as the Config has them. */
export function eventsOf(
  { log, types, webhook: { url }, many_failures }: Events,
  { webhookSecrets: secrets }: Secrets,
): EventConfig {
  return {
    log,
    types: types === undefined ? null : new Set(types),
    webhook: url === undefined ? null : { url, secrets },
    manyFailures: { failures: many_failures.count, windowMs: many_failures.window },
  };
}
