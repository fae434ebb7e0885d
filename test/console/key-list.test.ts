import { expect, it } from 'vitest';
import { tally } from '../store-contract/use/usage.ts';
import { fixedAdminKey, type Shown, startConsole } from './browser.ts';

const hour = 3_600_000;

/** The names of the keys that a page lists, in their order. */
function namesIn({ html }: Shown): string[] {
  return [...html.matchAll(/<th scope="row"[^>]*><div><a [^>]*>([^<]*)<\/a>/g)].map(([, name = '']) => name);
}

function linksIn({ html }: Shown): string[] {
  return [...html.matchAll(/href="([^"]+)"/g)].map(([, link = '']) => link.replaceAll('&amp;', '&'));
}

async function startListed() {
  const started = await startConsole();
  const { create, service } = started;
  const made: Record<string, string> = {};
  for (const [name, wanted] of Object.entries({
    soon: { expires_in: '1d', owner: 'acme', labels: { team: 'Grid' } },
    later: { expires_in: '30d' },
    never: { expires_in: 'never', scheme: 'mavera' },
  })) {
    made[name] = (await create({ name, ...wanted })).id;
    service.clock.now += 1_000;
  }
  return { ...started, made };
}

it('filters by what its address says, shows each filter as a chip, and takes one away by a link', async () => {
  const { operator } = await startListed();
  const listed = async (query: string) => namesIn(await operator.get(`/console/keys?${query}`));

  expect(await listed('')).toEqual(['never', 'later', 'soon']);
  expect(await listed('expires_within=7d')).toEqual(['soon']);
  expect(await listed('expires_within=90d')).toEqual(['later', 'soon']);
  expect(await listed('owner=acme')).toEqual(['soon']);
  expect(await listed('scheme=mavera&state=active')).toEqual(['never']);
  expect(await listed('search=LATER')).toEqual(['later']);
  expect([await listed('search=grid'), await listed('search=team%3DGrid')]).toEqual([['soon'], ['soon']]);

  const two = await operator.get('/console/keys?scheme=mavera&owner=globex&sort=name');
  expect(two.text).toContain('No API key matches.');
  expect(two.text).toMatch(/Owner: globex .*Scheme: mavera/);
  expect(linksIn(two)).toContain('/console/keys?scheme=mavera&sort=name');
  expect(linksIn(two)).toContain('/console/keys?owner=globex&sort=name');
});

it('shows what nobody uses, and of that and of what will expire the keys that work', async () => {
  const { operator, call, made, service } = await startListed();
  const id = made.never as Parameters<typeof tally>[0]['id'];
  service.clock.now += 1.5 * hour;
  await service.store.recordUsage([tally({ id }, { lastUsedAt: service.clock.now })]);
  const shown = async () => (await call('GET', `/admin/api-keys/${id}`)).json.data;
  await expect.poll(async () => (await shown()).last_used_at).not.toBeNull();
  service.clock.now += 0.5 * hour;
  await operator.signIn(fixedAdminKey);
  const listed = async (query: string) => namesIn(await operator.get(`/console/keys?${query}`));

  expect(await listed('unused_for=1h')).toEqual(['later', 'soon']);
  expect(await listed('unused_for=90d')).toEqual([]);
  await call('POST', `/admin/api-keys/${made.later}/disable`);
  const working = await operator.get('/console/keys?unused_for=1h');
  expect([namesIn(working), working.text.includes('State: active')]).toEqual([['soon'], true]);
  expect(linksIn(working)).toContain('/console/keys?state=any&unused_for=1h');
  expect(await listed('unused_for=1h&state=any')).toEqual(['later', 'soon']);
  expect(await listed('expires_within=90d&state=disabled')).toEqual(['later']);
});

it('sorts by its columns, and turns around what it is sorted by', async () => {
  const { operator } = await startListed();

  const byExpiry = await operator.get('/console/keys?sort=expires_at');
  expect(namesIn(byExpiry)).toEqual(['soon', 'later', 'never']);
  expect(byExpiry.html).toMatch(
    /aria-sort="ascending"[^>]*><a href="\/console\/keys\?sort=expires_at\+desc"/,
  );
  expect(namesIn(await operator.get('/console/keys?sort=name'))).toEqual(['later', 'never', 'soon']);
  expect(namesIn(await operator.get('/console/keys?sort=name+desc'))).toEqual(['soon', 'never', 'later']);
  const columns = ['name', 'owner', 'state', 'last_used_at+desc', 'expires_at+desc', 'created_at+desc'];
  for (const column of columns) expect(linksIn(byExpiry)).toContain(`/console/keys?sort=${column}`);
  // What keys were used for ranks them on another page.
  expect(linksIn(byExpiry)).toContain('/console/usage?range=24h');
});

it('sorts by owners and states, and says which of the two that share a column it is sorted by', async () => {
  const { operator, call, create, made } = await startListed();
  await create({ name: 'of globex', owner: 'globex' });
  await call('POST', `/admin/api-keys/${made.never}/disable`);
  const byOwner = await operator.get('/console/keys?sort=owner');
  expect(namesIn(byOwner)).toEqual(['soon', 'of globex', 'never', 'later']);
  expect(byOwner.html).toMatch(
    /aria-sort="ascending"[^>]*><a href="[^"]+">Name<\/a><a class="beside" href="\/console\/keys\?sort=owner\+desc" aria-current="true">Owner</,
  );
  expect(namesIn(await operator.get('/console/keys?sort=owner+desc'))[0]).toBe('of globex');
  expect(namesIn(await operator.get('/console/keys?sort=state'))).toEqual([
    'soon',
    'later',
    'of globex',
    'never',
  ]);
  expect(namesIn(await operator.get('/console/keys?sort=state+desc'))[0]).toBe('never');
});

it('pages through keys that expire soon by the moment that its first page was asked for', async () => {
  const { operator, create, service } = await startConsole();
  for (let made = 0; made < 51; made += 1) await create({ name: `key ${made}`, expires_in: '1d' });
  const first = await operator.get('/console/keys?expires_within=7d&sort=name');
  expect(first.text).toContain('API Keys 51');
  service.clock.now += 5_000;
  const next = linksIn(first).find((link) => link.includes('page_token')) ?? '';
  expect(namesIn(await operator.get(next))).toHaveLength(1);
});

it('finds the keys of an owner by a search for it, beside those of such a name', async () => {
  const { operator, create } = await startListed();
  const alone = await operator.get('/console/keys?search=acme&sort=name');
  expect([alone.status, alone.location]).toEqual([303, '/console/keys?sort=name&owner=acme']);
  await create({ name: 'acme too' });
  const both = await operator.get('/console/keys?search=acme');
  expect(namesIn(both)).toEqual(['acme too']);
  expect(both.text).toContain('1 API keys of the owner acme');
  expect(linksIn(both)).toContain('/console/keys?owner=acme');
});

it('says which filter it cannot read', async () => {
  const { operator } = await startConsole();
  for (const [query, field] of [
    ['expires_within=soon', 'expires_within'],
    ['unused_for=-1d', 'unused_for'],
    ['sort=colour', 'sort'],
    ['state=lost', 'state'],
  ]) {
    const shown = await operator.get(`/console/keys?${query}`);
    expect([query, shown.status]).toEqual([query, 400]);
    expect(shown.html).toMatch(new RegExp(`id="${field}-error">[^<]+<`));
  }
});

it('says how long ago a key was used and when it expires, and the very times on hover', async () => {
  const { operator, call, made, service } = await startListed();
  const id = made.soon as Parameters<typeof tally>[0]['id'];
  const used = service.clock.now;
  const start = used - (used % hour);
  await service.store.recordUsage([
    tally({ id }, { hour: start, lastUsedAt: used, allowed: 1_200, denied: { expired: 3 } }),
  ]);
  await expect
    .poll(async () => (await call('GET', `/admin/api-keys/${id}`)).json.data.last_used_at)
    .not.toBeNull();
  const { html } = await operator.get('/console/keys?search=soon');

  const exact = `${new Date(used).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  expect(html).toMatch(new RegExp(`<time [^>]*title="${exact}"[^>]*>just now</time>`));
  expect(html).toMatch(/<time [^>]*title="[-0-9]+ [:0-9]+ UTC"[^>]*>in 23 h<\/time>/);
  expect(html).toContain('<title>1,200 allowed, 3 denied in the last 24 hours</title>');
});

it('revokes and disables what was chosen, behind a question that says how many would change', async () => {
  const { operator, call, made } = await startListed();
  await call('DELETE', `/admin/api-keys/${made.never}`);
  const stateOf = async (name: string) =>
    (await call('GET', `/admin/api-keys/${made[name]}`)).json.data.state;
  const chosen = `id=${made.soon}&id=${made.later}&id=${made.never}`;

  const question = await operator.get(`/console/keys/disable?${chosen}`);
  expect(question.text).toContain('Disable 2 API keys?');
  expect(question.text).toContain('1 more that you chose would not change.');
  expect(question.text).toContain('soon pst_live_');
  expect(await stateOf('soon')).toBe('active');
  const done = await operator.act('/console/keys/disable', { chosen, changed: '2' });
  expect(done.text).toMatch(/2 API keys disabled\. In effect on all replicas \(1\) since/);
  expect([await stateOf('soon'), await stateOf('later'), await stateOf('never')]).toEqual([
    ...['disabled', 'disabled', 'revoked'],
  ]);

  const all = await operator.get('/console/keys/revoke?owner=acme');
  expect(all.text).toContain('Revoke this API key?');
  await operator.post('/console/keys/revoke', { chosen: 'owner=acme', changed: '1' });
  expect([await stateOf('soon'), await stateOf('later')]).toEqual(['revoked', 'disabled']);
});

it('changes nothing where more keys match by then than the question said, or where none was chosen', async () => {
  const { operator, call, create } = await startConsole();
  const { id } = await create({ name: 'one', owner: 'acme' });
  const question = await operator.get('/console/keys/revoke?owner=acme');
  expect(question.html).toContain('name="changed" value="1"');
  await create({ name: 'two', owner: 'acme' });

  const again = await operator.post('/console/keys/revoke', { chosen: 'owner=acme', changed: '1' });
  expect(again.text).toContain('There are more of them by now, and nothing was changed.');
  expect(again.text).toContain('Revoke 2 API keys?');
  expect((await call('GET', `/admin/api-keys/${id}`)).json.data.state).toBe('active');
  for (const query of ['', 'sort=name', 'id=nonsense'])
    expect((await operator.get(`/console/keys/revoke?${query}`)).status).toBe(400);
});

it('revokes by a choice no key that somebody may not see', async () => {
  const { browser, adminKey, create, call } = await startConsole();
  const foreign = await create({ name: 'of globex', owner: 'globex' });
  const own = await create({ name: 'of acme', owner: 'acme' });
  const acme = browser();
  await acme.signIn(await adminKey('admin:write', 'acme'));
  const chosen = `id=${foreign.id}&id=${own.id}`;

  const question = await acme.get(`/console/keys/revoke?${chosen}`);
  expect(question.text).toContain('Revoke this API key?');
  expect(question.text).not.toContain('globex');
  await acme.post('/console/keys/revoke', { chosen, changed: '1' });
  const state = async (id: string) => (await call('GET', `/admin/api-keys/${id}`)).json.data.state;
  expect([await state(foreign.id), await state(own.id)]).toEqual(['active', 'revoked']);
});

it('offers who may only read nothing that changes keys, and who has none the first step', async () => {
  const { operator, browser, adminKey, create } = await startConsole();
  expect((await operator.get('/console/keys')).text).toContain(
    'There are no API keys yet. Create the first one',
  );
  await create({ name: 'one' });
  const reader = browser();
  await reader.signIn(await adminKey('admin:read'));
  const shown = await reader.get('/console/keys');
  expect(shown.html).not.toMatch(/type="checkbox"|\/console\/keys\/(?:new|revoke|disable)/);
  expect((await reader.get('/console/keys/revoke?owner=acme')).status).toBe(403);
  expect((await reader.post('/console/keys/revoke', { chosen: 'owner=acme', changed: '1' })).status).toBe(
    403,
  );
});
