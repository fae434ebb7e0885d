import { expect } from 'vitest';
import { permissionFor } from '../../src/admin/operation-permissions.ts';
import { adminRead } from '../../src/keys/admin-permissions.ts';
import { audit } from '../admin-calls.ts';
import type { TestService } from '../service.ts';
import { tracer } from './values.ts';

/** All that a refused call may not change. */
export async function contentsOf({ store, clock }: TestService): Promise<string> {
  const keys = await store.listKeys({ now: clock.now }, { before: null, size: 1_000 });
  const owners = await store.listOwners({ after: null, size: 1_000 });
  return JSON.stringify([keys, owners]);
}

/**
 * Runs a call that is to be refused; expects no change, and of one that would have changed something one event, which
 * tells nothing of what was sent.
 */
export async function expectRefusal<T>(
  service: TestService,
  action: string,
  call: () => Promise<T>,
): Promise<T> {
  const newest = () => audit(service, { page_size: 1 });
  const [before, [last]] = [await contentsOf(service), await newest()];
  const answer = await call();
  const [event] = await newest();
  // A read that is mistyped is told so and leaves no entry.
  if (permissionFor(action) === adminRead) {
    expect(event?.sequence).toBe(last?.sequence);
    return answer;
  }
  expect(event?.sequence).toBe((last?.sequence ?? 0) + 1);
  expect(event).toMatchObject({ action, outcome: 'refused', error: 'INVALID_ARGUMENT', requestId: null });
  expect(event).toMatchObject({ before: null, after: null });
  expect(JSON.stringify(event)).not.toContain(tracer);
  expect(await contentsOf(service)).toBe(before);
  return answer;
}

export function actionOf(rpc: string): string {
  return rpc.charAt(0).toUpperCase() + rpc.slice(1);
}

/** Whether a violation is about the field: the whole of it or a part. */
export function isAbout(field: string, path: string): boolean {
  return field === path || field.startsWith(`${path}.`);
}

/** What the library that reads input says where a schema says nothing. */
export const libraryWords = /Invalid|Unrecognized|Too (?:big|small)|received/;

/** Expects that each violation says what is wrong in words of the API's own, once. */
export function expectOwnWords(violations: readonly { field: string; description: string }[]): void {
  const said = violations.map(({ field, description }) => `${field}: ${description}`);
  for (const one of said) expect(one).not.toMatch(libraryWords);
  expect(new Set(said).size, said.join('; ')).toBe(said.length);
}
