import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { admin, makeKey } from '../e2e/stack.ts';
import { adminKey, type Postern, startPostern } from '../real/postern.ts';
import {
  copy,
  create,
  createAndCopy,
  fill,
  heading,
  launchBrowser,
  revoke,
  rowOf,
  signIn,
  type Visitor,
  visit,
} from './visitor.ts';
import { startWire, type Wire } from './wire.ts';

let browser: Browser;
let postern: Postern;
let wire: Wire;
let url: string;
beforeAll(async () => {
  [browser, postern] = await Promise.all([launchBrowser(), startPostern({ POSTERN_LOG_LEVEL: 'debug' })]);
  wire = await startWire(postern.url);
  url = wire.url;
});
afterAll(() => Promise.all([browser?.close(), wire?.stop(), postern?.stop()]));

let visitor: Visitor;
let page: Page;
beforeEach(async () => {
  visitor = await newVisitor();
  ({ page } = visitor);
});

async function newVisitor(): Promise<Visitor> {
  const made = await visit(browser);
  onTestFinished(() => made.context.close());
  return made;
}

const keyNamed = async (name: string) => {
  const query = new URLSearchParams({ name_contains: name });
  const { data } = (await admin(postern, 'GET', `/admin/api-keys?${query}`)) as {
    data: { name: string; state: string }[];
  };
  return data.find((key) => key.name === name);
};

describe('a secret', () => {
  it('is nowhere after the page that shows it: not by reload, back, forward, another tab, nor in any storage', async () => {
    await signIn(page, url, adminKey);
    await create(page, { Name: 'once' });
    const secret = await copy(page);
    expect(secret).toMatch(/^mvra_live_\w{32}$/);
    const address = page.url();
    await page.evaluate("navigator.clipboard.writeText('')");
    wire.forget();

    const looked: string[] = [];
    const look = async () => {
      await page.waitForLoadState();
      const inPage = `JSON.stringify([document.documentElement.outerHTML, location.href, document.referrer,
        document.cookie, { ...localStorage }, { ...sessionStorage }, history.state, name,
        [...document.querySelectorAll('input, textarea, select')].map(({ value }) => value),
        performance.getEntries().map(({ name }) => name)])`;
      looked.push(String(await page.evaluate(inPage)), JSON.stringify(await visitor.context.cookies()));
    };
    await page.reload();
    await look();
    expect(page.url()).toBe(address);
    await heading(page, 'once');
    await page.goBack();
    await look();
    await page.goForward();
    await look();
    for (const link of ['Edit', 'Cancel', 'Rotate', 'Cancel', 'API Keys', 'Owners', 'Activity']) {
      await page.getByRole('link', { name: link, exact: true }).first().click();
      await look();
    }
    for (let back = 0; back < 8; back += 1) {
      await page.goBack();
      await look();
    }
    const kept = `Promise.all([navigator.serviceWorker.getRegistrations(), caches.keys(), indexedDB.databases()])
      .then((all) => all.flat().length)`;
    expect(await page.evaluate(kept)).toBe(0);
    const other = await visitor.context.newPage();
    await other.goto(address);
    looked.push(await other.content(), JSON.stringify(await visitor.context.storageState()));

    expect(looked.length).toBeGreaterThan(35);
    expect(looked.join('\n')).not.toContain(secret);
    expect(wire.text()).toContain('/console/activity');
    expect(wire.text()).not.toContain(secret);
    expect(postern.log()).not.toContain(secret);
    expect(visitor.troubles).toEqual([]);
  });

  it('goes over the line once, in the body of the answer that makes the key, which is not to be kept', async () => {
    await signIn(page, url, adminKey);
    wire.forget();
    await create(page, { Name: 'over the line' });
    const secret = await copy(page);

    const [before = '', ...after] = wire.text().split(secret);
    expect(after).toHaveLength(1);
    const answer = before.slice(before.lastIndexOf('HTTP/1.1 201'));
    expect(answer).toMatch(/\r\ncache-control: no-store\r\n/i);
    expect(answer).toContain('\r\n\r\n<!doctype html>');
    expect(page.url()).not.toContain('/new');
  });

  it('is not made a second time by sending the form again', async () => {
    await signIn(page, url, adminKey);
    await page.goto(`${url}/console/keys/new`);
    await fill(page, { Name: 'twice' });
    const requestId = await page.locator('[name=request_id]').inputValue();
    await page.getByRole('button', { name: 'Create API key' }).click();
    const secret = await copy(page);
    await page.goto(`${url}/console/keys/new`);
    await page.evaluate(`document.querySelector('[name=request_id]').value = '${requestId}'`);
    await fill(page, { Name: 'twice' });
    await page.getByRole('button', { name: 'Create API key' }).click();

    await heading(page, 'This API key was made already');
    expect(await page.content()).not.toContain(secret);
    await page.getByRole('link', { name: 'All API keys' }).click();
    expect(await rowOf(page, 'twice').count()).toBe(1);
  });
});

describe('a page of another origin', () => {
  // A host of another name is another site, to which no cookie of ours is sent; another port is the same site.
  const hosts = ['localhost', '127.0.0.1'] as const;

  it.each(hosts)(
    'at %s cannot have a form make, revoke or sign out, with a token of its own or none',
    async (host) => {
      await signIn(page, url, adminKey);
      const { id } = await makeKey(postern, { name: `kept from ${host}` });
      const forger = await newVisitor();
      await signIn(forger.page, url, adminKey);
      const ownToken = await forger.page.locator('[name=token]').first().inputValue();

      for (const fields of [{}, { token: ownToken }]) {
        for (const [path, more] of [
          ['/console/keys/new', { name: 'forged' }],
          [`/console/keys/${id}/revoke`, {}],
          [`/console/keys/${id}/disable`, {}],
          ['/console/sign-out', {}],
        ] as const) {
          await sendForm(host, url + path, { ...fields, ...more });
          await expectRefused();
        }
      }
      expect(await keyNamed('forged')).toBeUndefined();
      expect(await keyNamed(`kept from ${host}`)).toMatchObject({ state: 'active' });
      await page.goto(`${url}/console/keys`);
      await heading(page, 'API Keys');
    },
  );

  it.each(hosts)(
    'at %s may link to a page: who is signed in gets there, and stays signed in',
    async (host) => {
      await signIn(page, url, adminKey);
      await page.goto(await startForeign(host, `<a href="${url}/console/owners">Owners</a>`));
      await page.getByRole('link', { name: 'Owners' }).click();
      await heading(page, 'Owners');
      await page.getByRole('link', { name: 'Activity' }).click();
      await heading(page, 'Activity');
    },
  );

  it.each(hosts)('at %s cannot sign a visitor in', async (host) => {
    await page.goto(`${url}/console`);
    await sendForm(host, `${url}/console`, { admin_key: adminKey });
    await expectRefused();
    await page.goto(`${url}/console/keys`);
    await heading(page, 'Sign in');
  });

  it.each(hosts)('at %s cannot frame a page, nor reach one that it opened', async (host) => {
    await signIn(page, url, adminKey);
    const evil = await startForeign(host, `<iframe id="framed" src="${url}/console/keys"></iframe>`);
    wire.forget();
    await page.goto(evil);
    const [, frame] = page.frames();
    await expect.poll(() => frame?.url()).toMatch(/^chrome-error:/);

    const opening = visitor.context.waitForEvent('page');
    await page.evaluate(`window.opened = window.open('${url}/console/keys')`);
    const opened = await opening;
    await heading(opened, 'API Keys');
    expect(await page.evaluate('window.opened.closed')).toBe(true);
    expect(await opened.evaluate('window.opener')).toBe(null);
  });

  async function sendForm(host: string, action: string, fields: Readonly<Record<string, string>>) {
    const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`);
    const text = `<form method="post" action="${action}">${inputs.join('')}<button>Win a prize</button></form>`;
    await page.goto(await startForeign(host, text));
    await page.getByRole('button', { name: 'Win a prize' }).click();
    await page.waitForURL(`${url}/**`);
  }

  async function expectRefused() {
    await heading(page, 'Not allowed');
    await page.getByText('This form was sent by another site, and nothing was done.').waitFor();
  }
});

const nasty = `<script>pwned=1</script>"'><img src=x onerror=pwned=2><svg/onload=pwned=3>&amp;\${pwned=4}`;

describe('script', () => {
  it('in a name, labels, an owner, permissions, a search or a path is shown as the text that it is', async () => {
    await signIn(page, url, adminKey);
    await create(page, { Name: nasty, Owner: nasty, Permissions: '<b>x</b>', Labels: `a=${nasty}` });
    await page.getByRole('link', { name: 'Go to this API key' }).click();
    await heading(page, nasty);
    const key = page.url();
    const owner = new URL(`/console/owners/${encodeURIComponent(nasty)}`, url).href;
    await page.goto(owner);
    await page.getByRole('button', { name: 'Save owner' }).click();
    await page.locator('.flash').getByText('is active.').waitFor();

    const query = new URLSearchParams({ name_contains: nasty, owner: nasty });
    for (const [address, times] of [
      [key, 3],
      [`${key}/edit`, 3],
      [`${key}/rotate`, 1],
      [`${key}/revoke`, 1],
      [`${url}/console/keys`, 1],
      [`${url}/console/keys?${query}`, 1],
      [`${url}/console/owners`, 1],
      [owner, 1],
      [`${url}/console/activity`, 1],
    ] as const) {
      await page.goto(address);
      await page.waitForLoadState('load');
      const text = String(await page.evaluate('document.documentElement.textContent'));
      expect(text.split('<script>pwned=1</script>').length, address).toBeGreaterThan(times);
      expect(await page.locator('main :is(script, img, b, [onload], [onerror])').count(), address).toBe(0);
    }
    await page.goto(`${url}/console/${encodeURIComponent(nasty)}?${query}`);
    await heading(page, 'Not found');
    expect(await page.evaluate('typeof pwned')).toBe('undefined');
    expect(visitor.troubles).toEqual([]);
  });

  it('that got into a page all the same would not run, nor style it, nor send anything elsewhere', async () => {
    await signIn(page, url, adminKey);
    const evil = await startForeign('localhost', 'never');
    const attempts = {
      'script-src-elem': `const script = document.createElement('script'); script.textContent = 'pwned = 1';
        document.body.append(script)`,
      'script-src-attr': `document.body.insertAdjacentHTML('beforeend', '<p onclick="pwned = 2">x</p>');
        document.body.lastElementChild.click()`,
      'script-src': `setTimeout('pwned = 3')`,
      'style-src-elem': `document.body.insertAdjacentHTML('beforeend', '<style>main { display: none }</style>')`,
      'style-src-attr': `document.body.insertAdjacentHTML('beforeend', '<p style="color: red">x</p>')`,
      'img-src': `new Image().src = '${evil}image'`,
      'connect-src': `fetch('${evil}fetched').catch(() => {})`,
      'form-action': `document.body.insertAdjacentHTML('beforeend', '<form action="${evil}sent"></form>');
        document.body.lastElementChild.submit()`,
      'frame-src': `document.body.insertAdjacentHTML('beforeend', '<iframe src="${evil}framed"></iframe>')`,
      'object-src': `document.body.insertAdjacentHTML('beforeend', '<object data="${evil}object"></object>')`,
      'base-uri': `document.head.insertAdjacentHTML('beforeend', '<base href="${evil}based">')`,
    };
    for (const [directive, attempt] of Object.entries(attempts)) {
      visitor.troubles.length = 0;
      await page.evaluate(`{ ${attempt} }`);
      await expect
        .poll(() => visitor.troubles)
        .toEqual([expect.stringContaining(`violation of ${directive}: `)]);
    }
    expect(await page.evaluate('typeof pwned')).toBe('undefined');
    expect(await page.getByRole('heading', { name: 'API Keys' }).isVisible()).toBe(true);
    expect(new URL(page.url()).pathname).toBe('/console/keys');
  });

  it('cannot read the cookie, which goes to the console alone and is gone with the browser', async () => {
    await signIn(page, url, adminKey);
    const cookies = await visitor.context.cookies();
    expect(cookies).toEqual([
      expect.objectContaining({
        ...{ httpOnly: true, sameSite: 'Strict', path: '/console', domain: '127.0.0.1', expires: -1 },
      }),
    ]);
    expect(await page.evaluate('document.cookie')).toBe('');
    expect(JSON.stringify(cookies)).not.toContain(adminKey);
  });
});

describe('a session', () => {
  const made = (permission: string, owner: string | null = null) =>
    makeKey(postern, {
      name: `${permission} of ${owner ?? 'nobody'}`,
      scheme: 'postern',
      permissions: [permission],
      owner,
    });

  it('begins with no key that is not an admin key, and says why', async () => {
    const { key } = await makeKey(postern, { name: 'no admin', scheme: 'postern' });
    await page.goto(`${url}/console`);
    for (const wrong of ['nonsense', `${key.slice(0, -1)}!`, key]) {
      await page.getByLabel('Admin key').fill(wrong);
      const answered = page.waitForEvent('load');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await answered;
      const field = page.getByLabel('Admin key');
      await page.locator('#admin_key[aria-invalid=true]:focus').waitFor();
      expect(await field.inputValue()).toBe('');
      expect(await page.locator('#admin_key-error').textContent()).toMatch(/\S/);
    }
    await page.goto(`${url}/console/keys`);
    await heading(page, 'Sign in');
  });

  it('ends with sign out in every tab: neither back nor another tab shows or does anything', async () => {
    await signIn(page, url, adminKey);
    await makeKey(postern, { name: 'of two tabs' });
    const other = await visitor.context.newPage();
    await other.goto(`${url}/console/keys/new`);
    await fill(other, { Name: 'too late' });
    await page.getByRole('link', { name: 'Activity' }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await heading(page, 'Sign in');

    await other.getByRole('button', { name: 'Create API key' }).click();
    await heading(other, 'Sign in');
    await page.goBack();
    await heading(page, 'Sign in');
    expect(await page.content()).not.toContain('of two tabs');
    expect(await keyNamed('too late')).toBeUndefined();
    await signIn(page, url, adminKey);
    await heading(page, 'API Keys');
    expect(visitor.troubles).toEqual([]);
  });

  it('goes on in two tabs, each of whose forms works after the other', async () => {
    await signIn(page, url, adminKey);
    const other = await visitor.context.newPage();
    await other.goto(`${url}/console/keys/new`);
    await page.goto(`${url}/console/keys/new`);
    for (const [tab, name] of [
      [page, 'from one tab'],
      [other, 'from the other'],
    ] as const) {
      await fill(tab, { Name: name });
      await tab.getByRole('button', { name: 'Create API key' }).click();
      await heading(tab, 'API key created');
    }
  });

  it('of a key with an owner shows and makes keys of that owner alone', async () => {
    await makeKey(postern, { name: 'of globex', owner: 'globex' });
    const { id } = await makeKey(postern, { name: 'of another', owner: 'initech' });
    await signIn(page, url, (await made('admin:write', 'globex')).key);
    await rowOf(page, 'of globex').waitFor();
    expect(await page.content()).not.toContain('of another');
    await page.goto(`${url}/console/keys/${id}`);
    expect(await page.content()).not.toContain('of another');
    await page.getByRole('link', { name: 'Go to API Keys' }).click();
    await createAndCopy(page, { Name: 'made by globex' });
    expect(await keyNamed('made by globex')).toMatchObject({ owner: 'globex' });
    await page.getByRole('link', { name: 'Activity' }).click();
    expect(await page.content()).not.toContain('initech');
  });

  it('of a key that may only read shows nothing that changes anything', async () => {
    const { id } = await makeKey(postern, { name: 'to be read', owner: 'hooli' });
    await admin(postern, 'PUT', '/admin/owners/hooli', {});
    await admin(postern, 'PUT', '/admin/roles/looker', { permissions: ['read:a'] });
    await signIn(page, url, (await made('admin:read')).key);
    const lead = `({ posts: [...document.forms].filter(({ method }) => method === 'post').map(({ action }) =>
      new URL(action).pathname).sort(), links: [...document.links].map(({ pathname }) => pathname) })`;
    const all = ['', '/keys', `/keys/${id}`, `/keys/${id}/requests`, '/owners', '/owners/hooli', '/activity'];
    for (const path of [...all, '/leaks', '/requests', '/roles', '/roles/looker']) {
      await page.goto(`${url}/console${path}`);
      const { posts, links } = (await page.evaluate(lead)) as { posts: string[]; links: string[] };
      // The search is a form that posts, so that a whole key gets into no URL; it changes nothing.
      expect(posts, path).toEqual(['/console/keys', '/console/sign-out']);
      expect(links, path).toContain('/console/keys');
      const changing = /\/(?:new|edit|rotate|revoke|disable|enable|suspend|resume|delete)$/;
      expect(
        links.filter((link) => changing.test(link)),
        path,
      ).toEqual([]);
    }
    for (const path of ['keys/new', `keys/${id}/edit`, `keys/${id}/rotate`, `keys/${id}/revoke`]) {
      await page.goto(`${url}/console/${path}`);
      await heading(page, 'Not allowed');
    }
  });

  it('ends when its admin key is revoked, with a note at the sign in', async () => {
    const { key } = await made('admin:write');
    await signIn(page, url, key);
    const operator = await newVisitor();
    await signIn(operator.page, url, adminKey);
    await revoke(operator.page, 'admin:write of nobody');
    await page.getByRole('link', { name: 'Activity' }).click();
    await heading(page, 'Sign in');
    await page.getByText('Your session has ended. Sign in again.').waitFor();
  });
});

/** A page of somebody else, at this host and a port of its own. */
async function startForeign(host: string, text: string): Promise<string> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html').end(`<!doctype html>${text}`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://${host}:${(server.address() as AddressInfo).port}/`;
}
