import type { Browser } from '../../test/console/browser.ts';

/** Every page of the console with its name, as somebody who may see all of it would ask for it. */
export async function pagesOf(browser: Browser): Promise<readonly (readonly [string, string])[]> {
  const used = await linkIn(browser, '/console/keys?sort=last_used_at+desc');
  const owner = 'customer-17';
  const key = `/console/keys/${used}`;
  const day = new Date(Date.now() - 3 * 86_400_000).toISOString().slice(0, 10);
  return [
    ['overview', '/console'],
    ['overview, yesterday', '/console?span=yesterday'],
    ['overview, week', '/console?span=week'],
    ['keys', '/console/keys'],
    ...['name', 'last_used_at desc', 'expires_at', 'created_at'].map(
      (sort) => [`keys by ${sort}`, `/console/keys?sort=${encodeURIComponent(sort)}`] as const,
    ),
    ['keys, search a word', '/console/keys?search=Billing'],
    ['keys, search a name', '/console/keys?search=Partner+4711'],
    ['keys, search the last four', '/console/keys?search=x9Kq'],
    ['keys, search a label', '/console/keys?search=team%3Dteam-7'],
    ['keys, search nothing', '/console/keys?search=zzzzzzzz'],
    ['keys, search and sort', '/console/keys?search=Billing&sort=name'],
    ['keys, disabled', '/console/keys?state=disabled'],
    ['keys, active by name', '/console/keys?state=active&sort=name'],
    ['keys, ending', '/console/keys?expires_within=7d&sort=expires_at'],
    ['keys, unused', '/console/keys?unused_for=90d'],
    ['keys of an owner', `/console/keys?owner=${owner}`],
    ['key', key],
    ['key, 30 days', `${key}?hours=720`],
    ['key, edit', `${key}/edit`],
    ['key, requests', `${key}/requests`],
    ['key, rotate', `${key}/rotate`],
    ['key, revoke', `${key}/revoke`],
    ['new key', '/console/keys/new'],
    ['revoke many', '/console/keys/revoke?state=disabled'],
    ['owners', '/console/owners'],
    ['owners, search', '/console/owners?search=Customer+9999'],
    ['owner', `/console/owners/${owner}`],
    ['owner, suspend', `/console/owners/${owner}/suspend`],
    ['owner that is none', '/console/owners/custmer-17'],
    ['usage', '/console/usage'],
    ['usage, 24 hours', '/console/usage?range=24h'],
    ['usage, 30 days', '/console/usage?range=30d'],
    ['usage, 90 days', '/console/usage?range=90d'],
    ['usage by owner', '/console/usage?group_by=owner'],
    ['usage by plan', '/console/usage?group_by=plan'],
    ['usage by key and day', '/console/usage?interval=day'],
    ['usage of an owner', `/console/usage?owner=${owner}`],
    ['requests', '/console/requests'],
    ['activity', '/console/activity'],
    ['activity of a key', `/console/activity?target=${used}`],
    ['activity by a name', '/console/activity?actor=Ops+7'],
    ['activity of an action', '/console/activity?action=RotateKey'],
    ['activity of a day', `/console/activity?since=${day}&until=${day}`],
    ['activity, refused', '/console/activity?outcome=refused'],
    ['leaks', '/console/leaks'],
    ['roles', '/console/roles'],
  ];
}

async function linkIn(browser: Browser, path: string): Promise<string> {
  const { html } = await browser.get(path);
  const id = /\/console\/keys\/(key_[0-9A-Za-z]+)/.exec(html)?.[1];
  if (id === undefined) throw new Error(`no key on ${path}`);
  return id;
}
