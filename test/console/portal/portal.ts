import { expect } from 'vitest';
import { type Browser, startConsole, type TestConsole } from '../browser.ts';

const all = ['keys:read', 'keys:write', 'usage:read'];

/** A console, a key of acme and one of globex, and links for acme. */
export interface TestPortal extends TestConsole {
  readonly own: { readonly id: string };
  readonly foreign: { readonly id: string };
  /** Makes a link for acme. */
  portal(asked?: object): Promise<{ id: string; url: string; expires_at: string; path: string }>;
  /** Who has opened one. */
  opened(asked?: object): Promise<{ visitor: Browser; made: { id: string } }>;
}

export async function startPortal(): Promise<TestPortal> {
  const started = await startConsole();
  const { base, browser, call, create } = started;
  const own = await create({ name: 'of acme', owner: 'acme' });
  const foreign = await create({ name: 'of globex', owner: 'globex' });
  const portal = async (asked: object = {}) => {
    const wanted = { owner: 'acme', permissions: all, ...asked };
    const { status, json } = await call('POST', '/admin/portal-sessions', wanted);
    expect([status, json.error]).toEqual([201, undefined]);
    expect(json.data.url.startsWith(`${base}/console/portal/`)).toBe(true);
    return { ...json.data, path: json.data.url.slice(base.length) };
  };
  const opened = async (asked: object = {}) => {
    const { path, ...made } = await portal(asked);
    const visitor = browser();
    await visitor.send(path, '');
    await visitor.get('/console/keys');
    return { visitor, made };
  };
  return { ...started, own, foreign, portal, opened };
}

type Attempt = readonly [
  status: number,
  try_: (visitor: Browser) => Promise<{ status: number; text: string }>,
];

/** What is refused with that status, and shows nothing of who else there is. */
export async function expectRefused(visitor: Browser, attempts: readonly Attempt[]): Promise<void> {
  const answers = [];
  for (const [, attempt] of attempts) answers.push(await attempt(visitor));
  expect(answers.map(({ status }) => status)).toEqual(attempts.map(([status]) => status));
  for (const { text } of answers) expect(text).not.toMatch(/of globex|the house/);
}

export const get = (status: number, path: string): Attempt => [
  status,
  (visitor) => visitor.get(`/console${path}`),
];
export const post = (status: number, path: string, fields: Record<string, string> = {}): Attempt => [
  status,
  (visitor) => visitor.post(`/console${path}`, fields),
];
