import { createHmac } from 'node:crypto';
import { formatTimeMs } from '../time/time.ts';
import { version } from '../version.ts';
import { eventJson, type KeyEvent } from './events.ts';

export interface WebhookSettings {
  readonly url: URL;
  /** Each signs, so that a receiver can change from one to another. One or more. */
  readonly secrets: readonly Buffer[];
}

/** Why a message was not taken. */
export interface NotTaken {
  /** In fixed words, without the URL. */
  readonly why: string;
  /** How long the receiver asks to be left alone; 0 where it does not say. */
  readonly retryAfterMs: number;
}

/** Sends one event; null when it was taken, which is any 2xx. Does not reject. */
export type Send = (event: KeyEvent, signal: AbortSignal) => Promise<NotTaken | null>;

export interface WebhookOptions {
  /** The longest that an answer is waited for. Default 15 000. */
  readonly answerMsMax?: number;
}

/**
 * Sends events as Standard Webhooks do (https://www.standardwebhooks.com, version 1.0.0): the same `webhook-id` with
 * each try, signed by HMAC-SHA-256. Redirects are not followed.
 */
export function createWebhook(
  dependencies: {
    readonly fetch: typeof fetch;
    /** Unix milliseconds. */
    readonly now: () => number;
  },
  { url, secrets }: WebhookSettings,
  { answerMsMax = 15_000 }: WebhookOptions = {},
): Send {
  const { fetch, now } = dependencies;

  return async (event, signal) => {
    const body = bodyOf(event);
    const timestamp = Math.floor(now() / 1_000);
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'user-agent': `postern/${version}`,
          'webhook-id': event.id,
          'webhook-timestamp': String(timestamp),
          'webhook-signature': signatures(secrets, `${event.id}.${timestamp}.${body}`),
        },
        body,
        redirect: 'manual',
        signal: AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)]),
      });
      const { status, headers } = response;
      await response.body?.cancel();
      if (status >= 200 && status < 300) return null;
      return { why: whyNot(status), retryAfterMs: retryAfter(headers.get('retry-after'), now()) };
    } catch (error) {
      return { why: whyUnanswered(error, answerMsMax), retryAfterMs: 0 };
    }
  };
}

/** `type`, `timestamp` and `data`, as the specification recommends. */
function bodyOf(event: KeyEvent): string {
  const { type, at: _, ...data } = eventJson(event);
  return JSON.stringify({ type, timestamp: formatTimeMs(event.at), data });
}

function signatures(secrets: readonly Buffer[], signed: string): string {
  return secrets
    .map((secret) => `v1,${createHmac('sha256', secret).update(signed).digest('base64')}`)
    .join(' ');
}

function whyNot(status: number): string {
  if (status === 410) return 'it answered 410: it wants no more events, and the setting is to be taken out';
  if (status >= 300 && status < 400) return `it answered ${status}: redirects are not followed`;
  return `it answered ${status}`;
}

/** Milliseconds of `Retry-After`, which is seconds or a date (RFC 9110, section 10.2.3). */
function retryAfter(text: string | null, now: number): number {
  if (text === null) return 0;
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1_000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? 0 : Math.max(0, at - now);
}

function whyUnanswered(error: unknown, answerMsMax: number): string {
  if (!(error instanceof Error)) return 'unknown error';
  if (error.name === 'TimeoutError') return `no answer within ${answerMsMax / 1_000} s`;
  const { code } = (error.cause ?? {}) as { readonly code?: unknown };
  return typeof code === 'string' ? code : error.name;
}
