import { expect, it } from 'vitest';
import { startPortal } from './portal.ts';

it('a portal session is told that an inactive owner blocks its keys, and led to no page of the owner’s', async () => {
  const { opened, own, call } = await startPortal();
  await call('PUT', '/admin/owners/acme', { suspended: true });
  const { visitor } = await opened();
  for (const path of ['/console/keys', `/console/keys/${own.id}`]) {
    const { html } = await visitor.get(path);
    expect(html).toContain('<span class="badge blocked">Blocked</span> its owner is inactive');
    expect(html).not.toContain('/console/owners');
  }
});
