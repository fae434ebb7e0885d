import { onTestFinished } from 'vitest';
import type { Caller } from '../src/admin/identity.ts';
import type { JournalEntry } from '../src/journal/journal.ts';
import type { KeyRecord } from '../src/keys/key.ts';
import { createTestService, type TestService, type TestServiceOptions } from './service.ts';

/** A whole core that is closed when the test ends. */
export async function start(options: TestServiceOptions = {}): Promise<TestService> {
  const service = await createTestService(options);
  onTestFinished(() => {
    service.tail.close();
    return service.store.close();
  });
  return service;
}

/** Who may do everything, and is no key. */
export function root({ adminAuthorization }: TestService): Caller {
  return { authorization: [adminAuthorization], address: '' };
}

/** A caller with an admin key of its own. */
export async function callerWith(
  service: TestService,
  permissions: readonly string[],
  owner: string | null = null,
): Promise<Caller & { readonly key: KeyRecord }> {
  const { key, secret } = await service.admin.createKey(root(service), { name: 'admin', permissions, owner });
  return { authorization: [`Bearer ${secret?.reveal()}`], address: '', key };
}

/** What a refusal says, apart from its words. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'was not refused',
    ({ code, reason }) => `${code} ${reason}`,
  );
}

/** The fields at fault in a call that is refused for its input. */
export async function violations(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'was not refused',
    (error) => (error.code === 'INVALID_ARGUMENT' ? error.violations : error),
  );
}

/** The journal of calls, the newest first, as whoever may see everything sees it. */
export async function audit(service: TestService, asked: object = {}): Promise<readonly JournalEntry[]> {
  return (await service.admin.listAuditEvents(root(service), { page_size: 1_000, ...asked })).events;
}
