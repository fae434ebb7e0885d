import { describe, expect, it } from 'vitest';
import { fieldIn, secretIn } from '../browser.ts';
import { startPortal } from './portal.ts';

const minute = 60_000;

describe('a link to a portal session', () => {
  it('opens once, behind a button, and says then what it is no more', async () => {
    const { browser, call, portal } = await startPortal();
    const made = await portal({ return_url: 'https://portal.example.com/settings' });
    expect(Object.keys(made)).toEqual(['id', 'url', 'expires_at', 'path']);
    const [visitor, scanner, thief] = [browser(), browser(), browser()];

    const ahead = await scanner.get(made.path);
    const shown = await visitor.get(made.path);
    const opened = await visitor.send(made.path, '');
    const again = await thief.send(made.path, '');

    expect([ahead.status, shown.status, opened.status, opened.location]).toEqual([200, 200, 303, '/console']);
    expect(shown.html).toContain('<button>Continue</button>');
    expect([again.status, thief.cookie, (await thief.get(made.path)).status]).toEqual([410, null, 410]);
    expect((await visitor.get('/console')).location).toBe('/console/keys');
    const list = await visitor.get('/console/keys');
    expect(list.text).toContain('of acme');
    expect(list.text).not.toContain('globex');
    const events = (await call('GET', '/admin/audit-events?page_size=20')).json.data;
    const told = events.filter(({ action }: { action: string }) => /SignIn|PortalSession/.test(action));
    expect(told.slice(0, 3).map(briefly)).toEqual([
      ['SignIn', null, 'refused', null],
      ['SignIn', `portal:${made.id}`, 'ok', 'acme'],
      ['CreatePortalSession', 'POSTERN_ADMIN_KEY', 'ok', 'acme'],
    ]);
    expect(JSON.stringify(events)).not.toContain(made.url.split('.').at(-1));
  });

  it('opens for one alone of many who try at once', async () => {
    const { browser, portal } = await startPortal();
    const { path } = await portal();
    const tries = await Promise.all(Array.from({ length: 8 }, () => browser().send(path, '')));
    expect(tries.map(({ status }) => status).toSorted()).toEqual([303, ...Array(7).fill(410)]);
  });

  it('is too old after 5 minutes, and so is one whose session has ended', async () => {
    const { browser, call, service, portal } = await startPortal();
    const [late, short, ended] = [await portal(), await portal({ expires_in: '1s' }), await portal()];
    await call('DELETE', `/admin/portal-sessions/${ended.id}`);
    expect((await browser().send(ended.path, '')).status).toBe(410);
    service.clock.now += 1_000;
    expect((await browser().send(short.path, '')).status).toBe(410);
    service.clock.now += 5 * minute - 1_000;
    expect((await browser().send(late.path, '')).status).toBe(410);
  });

  it('opens nothing where another site sends the form, or the token is another', async () => {
    const { browser, portal } = await startPortal();
    const { path } = await portal();
    const foreign = await browser().send(path, '', { 'sec-fetch-site': 'cross-site' });
    const wrong = await Promise.all(
      [
        path.slice(0, -1),
        `${path}A`,
        `${path.slice(0, -2)}AA`,
        path.replace('ps_', 'px_'),
        '/console/portal/x',
      ].map((other) => browser().send(other, '')),
    );
    expect(foreign.status).toBe(403);
    expect(wrong.map(({ status }) => status)).toEqual([410, 410, 410, 410, 410]);
    expect((await browser().send(path, '')).status).toBe(303);
  });
});

describe('a portal session', () => {
  it('ends when it expires, and not before, however seldom it is used', async () => {
    const { service, opened } = await startPortal();
    const { visitor } = await opened({ expires_in: '3h', return_url: 'https://portal.example.com/x?y=1' });
    service.clock.now += 3 * 60 * minute - 1;
    expect((await visitor.get('/console/keys')).status).toBe(200);
    service.clock.now += 1;
    const ended = await visitor.get('/console/keys');
    expect([ended.status, ended.html]).toEqual([
      401,
      expect.stringContaining('https://portal.example.com/x?y=1'),
    ]);
    expect(ended.html).not.toContain('admin_key');
    expect((await visitor.get('/console/keys')).status).toBe(303);
  });

  it('ends with the next page once somebody has ended it, and whoever looks by it may', async () => {
    const { call, opened } = await startPortal();
    const [one, other] = [await opened(), await opened()];
    const gone = await call('DELETE', `/admin/portal-sessions/${one.made.id}`);
    expect([gone.status, gone.json.data.ended_at]).toEqual([200, expect.stringMatching(/Z$/)]);
    const again = await call('DELETE', `/admin/portal-sessions/${one.made.id}`);
    expect(again.json.data).toEqual(gone.json.data);
    expect((await one.visitor.get('/console/keys')).status).toBe(401);
    expect((await other.visitor.get('/console/keys')).status).toBe(200);

    const copied = other.visitor.cookie;
    const out = await other.visitor.post('/console/sign-out', {});
    expect(out.text).toContain('You are signed out');
    other.visitor.cookie = copied;
    expect((await other.visitor.get('/console/keys')).status).toBe(401);
    const [event] = (await call('GET', '/admin/audit-events')).json.data;
    expect(briefly(event)).toEqual(['DeletePortalSession', `portal:${other.made.id}`, 'ok', 'acme']);
  });

  it('leads back on every page, the ones that are not there too', async () => {
    const { opened, own } = await startPortal();
    const { visitor } = await opened({ return_url: 'https://portal.example.com/settings' });
    const paths = ['/keys', '/keys/new', `/keys/${own.id}`, `/keys/${own.id}/edit`, '/owners', '/nowhere'];
    for (const path of paths) {
      const shown = await visitor.get(`/console${path}`);
      expect([path, shown.html]).toEqual([
        path,
        expect.stringContaining('href="https://portal.example.com/settings"'),
      ]);
    }
  });

  it('changes keys as its holder, and journals so', async () => {
    const { call, opened, own } = await startPortal();
    const { visitor, made } = await opened();
    const form = await visitor.get('/console/keys/new');
    const created = await visitor.post('/console/keys/new', {
      ...{ name: 'of mine', scheme: 'mavera', permissions: 'read:assets' },
      request_id: fieldIn(form, 'request_id'),
    });
    expect([created.status, secretIn(created)]).toEqual([201, expect.stringMatching(/^mvra_live_/)]);
    await visitor.get(`/console/keys/${own.id}/revoke`);
    expect((await visitor.post(`/console/keys/${own.id}/revoke`, {})).text).toContain('API key revoked');
    const [revoked, creation] = (await call('GET', '/admin/audit-events')).json.data;
    const actor = `portal:${made.id}`;
    expect(briefly(revoked)).toEqual(['RevokeKey', actor, 'ok', 'acme']);
    expect(briefly(creation)).toEqual(['CreateKey', actor, 'ok', 'acme']);
    expect(creation.after).toMatchObject({ owner: 'acme', created_by: actor });
  });
});

function briefly({ action, actor, outcome, owner }: Record<string, unknown>) {
  return [action, actor, outcome, owner];
}
