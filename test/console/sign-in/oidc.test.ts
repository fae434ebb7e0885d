import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { fixedAdminKey } from '../browser.ts';
import { startOidc, type TestOidc } from './oidc.ts';

const minute = 60_000;

async function signIns({ call }: Pick<TestOidc, 'call'>) {
  const events = (await call('GET', '/admin/audit-events?page_size=50')).json.data;
  return events
    .filter(
      ({ action, actor }: Record<string, unknown>) => action === 'SignIn' && actor !== 'POSTERN_ADMIN_KEY',
    )
    .map((event: Record<string, unknown>) => [event.actor, event.actor_name, event.outcome, event.error]);
}

describe('signing in by an OpenID provider', () => {
  it('has a button for it beside the form, and lets who has a grant in as themselves', async () => {
    const oidc = await startOidc();
    const visitor = oidc.browser();
    const form = await visitor.get('/console');
    expect(form.text).toContain(`Sign in with ${new URL(oidc.provider.issuer).host}`);
    expect(form.html).toContain('name="admin_key"');

    const begun = await visitor.get('/console/oidc');
    const asked = new URL(begun.location ?? '');
    expect([begun.status, asked.origin]).toEqual([303, oidc.provider.issuer]);
    expect(Object.fromEntries(asked.searchParams)).toMatchObject({
      ...{ response_type: 'code', client_id: 'postern', code_challenge_method: 'S256' },
      ...{ redirect_uri: 'https://console.example.com/console/oidc/callback', scope: 'openid email groups' },
      ...{ state: expect.stringMatching(/^.{32,}$/), nonce: expect.stringMatching(/^.{32,}$/) },
    });
    expect(begun.headers.getSetCookie().join()).toMatch(
      /postern_console_oidc=[\w-]+; Max-Age=600; Path=\/console\/oidc; HttpOnly; SameSite=Lax/,
    );

    const { shown } = await oidc.signedIn(visitor);
    expect([shown.status, shown.location, visitor.attempt]).toEqual([303, '/console', null]);
    const list = await visitor.get('/console/keys');
    expect([list.status, list.text]).toEqual([200, expect.stringContaining('alice@example.com')]);
    await visitor.get('/console/keys/new');
    expect((await visitor.post('/console/keys/new', { name: 'By alice', scheme: 'mavera' })).status).toBe(
      201,
    );
    const [event] = (await oidc.call('GET', '/admin/audit-events')).json.data;
    expect(event).toMatchObject({
      ...{ action: 'CreateKey', actor: 'oidc:alice', actor_name: 'alice@example.com' },
      after: { created_by: 'oidc:alice' },
    });
    expect(await signIns(oidc)).toEqual([['oidc:alice', 'alice@example.com', 'ok', null]]);
  });

  it.each([
    ['a list in the ID token', ['x', 'support'], {}],
    ['a text in the ID token', 'support', {}],
    ['a list at userinfo', ['support'], { inIdToken: false }],
    ['a text at userinfo', 'support', { inIdToken: false, clientAuth: 'post' }],
  ] as const)('reads the claim as %s', async (_, groups, options) => {
    const { provider, signedIn } = await startOidc(
      { clientAuth: 'post' },
      { clientAuth: 'post', ...options },
    );
    provider.claims.groups = groups;
    const { visitor } = await signedIn();
    expect((await visitor.get('/console/keys')).text).toContain('alice@example.com, read only');
    expect((await visitor.get('/console/keys/new')).status).toBe(403);
    const refused = await visitor.post('/console/keys/new', { name: 'mine' });
    expect([refused.status, refused.text]).toEqual([
      403,
      expect.stringContaining('Your sign-in lacks admin:write.'),
    ]);
  });

  it('goes by the first grant that fits, and shows no more than that', async () => {
    const { provider, signedIn, create } = await startOidc();
    await create({ name: 'of acme', owner: 'acme' });
    await create({ name: 'of globex', owner: 'globex' });
    provider.claims.groups = ['acme', 'support'];
    expect((await (await signedIn()).visitor.get('/console/keys')).text).toContain('of globex');
    provider.claims.groups = ['acme', 'ACME', 'operators '];
    const { visitor } = await signedIn();
    const list = await visitor.get('/console/keys');
    expect(list.text).toContain('alice@example.com, owner acme');
    expect(list.text).not.toContain('of globex');
  });

  it('tells who has no grant so, and lets them in nowhere', async () => {
    const oidc = await startOidc();
    for (const groups of [[], 'none', undefined, { operators: true }, [['operators']], 'operators,x']) {
      oidc.provider.claims.groups = groups;
      const { visitor, shown } = await oidc.signedIn();
      expect([groups, shown.status, shown.text]).toEqual([
        groups,
        403,
        expect.stringContaining('knows you as alice@example.com, and nothing gives you access here'),
      ]);
      expect((await visitor.get('/console/keys')).status).toBe(303);
    }
    expect((await signIns(oidc))[0]).toEqual([
      ...['oidc:alice', 'alice@example.com', 'refused', 'PERMISSION_DENIED'],
    ]);
  });

  it('goes by groups that change with the next sign-in, and says no e-mail that is not verified', async () => {
    const { provider, signedIn } = await startOidc();
    const { visitor } = await signedIn();
    provider.claims.groups = ['support'];
    provider.claims.email_verified = false;
    await visitor.get('/console/keys');
    expect((await visitor.get('/console/keys/new')).status).toBe(200);
    await signedIn(visitor);
    expect((await visitor.get('/console/keys/new')).status).toBe(403);
    expect((await visitor.get('/console/keys')).text).toContain('Signed in as oidc:alice, read only');
  });
});

describe('a sign-in that is not to be believed', () => {
  it('is refused without the browser that began it, with another state, and a second time', async () => {
    const oidc = await startOidc();
    const [alice, thief] = [oidc.browser(), oidc.browser()];
    const path = await oidc.led(alice);
    const copied = alice.attempt;
    await oidc.led(thief);
    const tries = [
      await oidc.browser().get(path),
      await thief.get(path),
      await alice.get(path.replace(/state=[^&]*/, 'state=x')),
    ];
    alice.attempt = copied;
    tries.push(await alice.get(path.replace(/&?state=[^&]*/, '')));
    alice.attempt = copied;
    tries.push(await alice.get(`${path}&state=x`));
    expect(tries.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401]);
    alice.attempt = copied;
    expect((await alice.get(path)).location).toBe('/console');

    const replay = oidc.browser();
    expect((await alice.get(path)).status).toBe(401);
    replay.attempt = copied;
    const shown = await replay.get(path);
    expect([shown.status, shown.text]).toEqual([401, expect.stringContaining('could not be completed')]);
    expect((await replay.get('/console/keys')).status).toBe(303);
    expect((await signIns(oidc))[0]).toEqual([null, null, 'refused', 'UNAUTHENTICATED']);
  });

  it('is refused with another nonce, and with another verifier', async () => {
    const { provider, signIn, call } = await startOidc();
    const request = { rawHeaders: [], headers: {}, socket: { remoteAddress: '127.0.0.1' } } as never;
    for (const wrong of [{ nonce: 'x'.repeat(43) }, { verifier: 'x'.repeat(43) }, {}]) {
      const begun = await signIn.begin();
      if (begun === null) throw new Error('the provider is away');
      const { searchParams } = await provider.visit(begun.url);
      const outcome = await signIn.finish(request, searchParams, { ...begun.attempt, ...wrong });
      expect([wrong, outcome.kind]).toEqual([
        wrong,
        'nonce' in wrong || 'verifier' in wrong ? 'wrong' : 'signed_in',
      ]);
    }
    expect(await signIns({ call })).toHaveLength(3);
  });

  it('is refused from another issuer, or from one that it does not name', async () => {
    const { browser, led } = await startOidc();
    const visitor = browser();
    for (const other of ['&iss=https%3A%2F%2Fevil.example', '']) {
      const path = await led(visitor);
      expect(path).toContain('&iss=');
      expect((await visitor.get(path.replace(/&iss=[^&]*/, other))).status).toBe(401);
    }
  });

  it('is refused once it is too old, here or at the provider', async () => {
    const { browser, led, service } = await startOidc();
    const visitor = browser();
    const path = await led(visitor);
    service.clock.now += 10 * minute;
    expect((await visitor.get(path)).status).toBe(401);

    const fresh = await led(visitor);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * minute });
    onTestFinished(() => void vi.useRealTimers());
    expect((await visitor.get(fresh)).status).toBe(401);
  });

  it('is refused where the ID token is signed by a key that the provider does not have', async () => {
    const { browser, led, provider } = await startOidc();
    const visitor = browser();
    const path = await led(visitor);
    provider.instead = (at) => (at === '/jwks' ? { status: 200, json: { keys: [] } } : null);
    expect((await visitor.get(path)).status).toBe(401);
  });

  it('says that the provider signed nobody in, and repeats nothing that came with it', async () => {
    const { browser } = await startOidc();
    const visitor = browser();
    const { location } = await visitor.get('/console/oidc');
    const { origin, searchParams } = new URL(location ?? '');
    const query = new URLSearchParams({ error: 'access_denied', error_description: '<b>x</b> call 555' });
    query.set('state', searchParams.get('state') ?? '');
    query.set('iss', origin);
    const shown = await visitor.get(`/console/oidc/callback?${query}`);
    expect([shown.status, shown.text]).toEqual([403, expect.stringContaining('did not sign you in')]);
    expect(shown.text).not.toContain('555');
  });
});

describe('an OpenID provider', () => {
  it('may sign by other keys from one sign-in to the next', async () => {
    const { provider, signedIn } = await startOidc();
    expect((await signedIn()).shown.location).toBe('/console');
    provider.rotateKeys();
    expect((await signedIn()).shown.location).toBe('/console');
  });

  it('that is down is said to be, goes on once it is back, and keeps nobody else out', async () => {
    const { provider, browser, led, signIn, signedIn, service } = await startOidc();
    const [visitor, before] = [browser(), (await signedIn()).visitor];
    service.clock.now += 6 * minute;
    const path = await led(visitor);
    service.clock.now += 6 * minute;
    provider.instead = () => ({ status: 503 });
    const [begun, finished] = [await browser().get('/console/oidc'), await visitor.get(path)];
    for (const shown of [begun, finished]) {
      expect([shown.status, shown.text]).toEqual([503, expect.stringContaining('cannot be asked')]);
      expect(shown.html).toContain('name="admin_key"');
    }
    expect(signIn.findings().map(({ code }) => code)).toEqual(['console.oidc']);
    expect((await browser().signIn(fixedAdminKey)).location).toBe('/console');
    expect((await before.get('/console/keys')).status).toBe(200);
    provider.instead = null;
    expect((await signedIn(visitor)).shown.location).toBe('/console');
    expect(signIn.findings()).toEqual([]);
  });
});

describe('a session by an OpenID provider', () => {
  it('ends when it is not used, at its longest time, and when signed out', async () => {
    const { service, signedIn, provider } = await startOidc();
    const { visitor } = await signedIn();
    service.clock.now += 29 * minute;
    expect((await visitor.get('/console/keys')).status).toBe(200);
    service.clock.now += 30 * minute;
    expect((await visitor.get('/console/keys')).location).toBe('/console?ended=yes&next=%2Fconsole%2Fkeys');

    await signedIn(visitor);
    await visitor.get('/console/keys');
    const out = await visitor.post('/console/sign-out', {});
    expect([out.status, out.text]).toEqual([200, expect.stringContaining('You are signed out')]);
    expect(out.html).toContain(`href="${provider.issuer}/session/end?client_id=postern"`);
    expect((await visitor.get('/console/keys')).status).toBe(303);
  });

  it('ends where the settings have its grant, or its provider, no more', async () => {
    const secret = Buffer.alloc(32, 9);
    const one = await startOidc({}, { secret });
    const { visitor } = await one.signedIn();
    const others = [
      await startOidc({ issuer: one.provider.issuer }, { secret }),
      await startOidc({ issuer: one.provider.issuer, grants: [] }, { secret }),
      await startOidc({}, { secret }),
    ];
    const statuses = others.map(async ({ browser }) => {
      const there = browser();
      there.cookie = visitor.cookie;
      return (await there.get('/console/keys')).status;
    });
    expect(await Promise.all(statuses)).toEqual([200, 303, 303]);
  });
});

it('takes no admin key where these are off, and ends sessions by them', async () => {
  const secret = Buffer.alloc(32, 8);
  const on = await startOidc({}, { secret });
  const off = await startOidc({}, { secret, takesAdminKeys: false });
  const visitor = off.browser();
  const form = await visitor.get('/console');
  expect(form.html).not.toContain('admin_key');
  expect(form.text).toContain('Sign in with');
  const posted = await visitor.post('/console', { admin_key: fixedAdminKey });
  expect([posted.status, posted.text]).toEqual([
    403,
    expect.stringContaining('Admin keys are not taken here'),
  ]);
  visitor.cookie = on.operator.cookie;
  expect((await visitor.get('/console/keys')).location).toBe('/console?ended=yes&next=%2Fconsole%2Fkeys');
  expect((await off.signedIn()).shown.location).toBe('/console');
  expect((await off.call('GET', '/admin/api-keys')).status).toBe(200);
});
