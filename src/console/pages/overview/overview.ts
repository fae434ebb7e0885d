import type { OperationName } from '../../../admin/operation-permissions.ts';
import type { Page as Answer, Key } from '../../api-answers.ts';
import { html, type Markup, path } from '../../markup/markup.ts';
import { grouped } from '../../markup/parts.ts';
import type { Page, Redirect, View, Visit } from '../../session/visit.ts';
import { homeOf } from '../entrance/home.ts';
import { type Diagnosis, diagnosisPanel } from './diagnosis.ts';
import { askNow, deniedIn, type Figures, figuresOf, totalMax } from './figures.ts';
import { changeMarkup, figure, keysPanel, ownersPanel, reasonsPanel, watchedPanel } from './panels.ts';
import { type Span, type SpanName, spanNames, spanOf } from './spans.ts';
import { trafficMarkup } from './traffic.ts';

const dayMs = 86_400_000;
const soonDays = 7;
const unusedDays = 90;
const keysShown = 5;

/** What goes on: requests and what changed, what is about to end, what nobody uses, and what is wrong. */
export const overviewPage = { path: '/', get: show } satisfies Page;

async function show(visit: Visit): Promise<View | Redirect> {
  const needed: readonly OperationName[] = ['GetUsage', 'ListKeys'];
  if (visit.terms.actor.startsWith('portal:') || !needed.every(visit.may)) return homeOf(visit.terms);
  const { api, query, now, terms, canWrite } = visit;
  const name = spanNames.find((known) => known === query.get('span')) ?? spanNames[0];
  const span = spanOf(name, now);
  const [active, ending, unused] = await Promise.all([
    counted(visit, { state: 'active' }, 1),
    counted(visit, { state: 'active', expires_before: iso(now + soonDays * dayMs), order_by: 'expires_at' }),
    counted(visit, {
      state: 'active',
      unused_since: iso(now - unusedDays * dayMs),
      order_by: 'last_used_at',
    }),
  ]);
  const ask = active.total_size > totalMax ? visit.recall : askNow(api);
  const [figures, diagnosis] = await Promise.all([
    figuresOf(api, ask, span, terms.owner === null),
    terms.owner === null && visit.may('GetDiagnostics') ? ask<{ data: Diagnosis }>('diagnostics') : null,
  ]);
  return {
    title: 'Overview',
    actions: canWrite
      ? html`<a class="button primary" href=${path(['keys', 'new'])}>Create API key</a>`
      : null,
    main: html`${choices(name, now)}
      <p><a href=${path(['usage'])}>Usage by key, owner, plan, scheme or environment</a></p>
      ${tiles(figures, { active, ending, unused }, span)}
      ${trafficMarkup(figures.bars, figures.earlierBars, span)}
      <div class="panels">
        ${figures.owners === null ? null : ownersPanel(figures.owners, span)} ${keysPanel(figures.keys, span)}
        ${reasonsPanel(figures.bars, span, figures.earlierBars)} ${diagnosis === null ? null : diagnosisPanel(diagnosis)}
        ${endingPanel(ending, now)} ${unusedPanel(unused, now)}
      </div>`,
  };
}

function iso(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

type Counted = Answer<Key> & { readonly total_size: number };

function counted(
  { api }: Visit,
  filter: Readonly<Record<string, string>>,
  size = keysShown,
): Promise<Counted> {
  const query = new URLSearchParams({ ...filter, include_total: 'true', page_size: String(size) });
  return api.call<Counted>('GET', `api-keys?${query}`);
}

function choices(chosen: SpanName, now: number): Markup {
  return html`<ul class="choices" aria-label="Time shown">
    ${spanNames.map(
      (name) => html`<li>
        <a href=${path([], name === 'today' ? {} : { span: name })} aria-current=${name === chosen ? 'true' : undefined}
          >${spanOf(name, now).label}</a
        >
      </li>`,
    )}
  </ul>`;
}

interface Watched {
  readonly active: Counted;
  readonly ending: Counted;
  readonly unused: Counted;
}

function tiles({ bars, earlierBars }: Figures, { active, ending, unused }: Watched, span: Span): Markup {
  const sum = (rows: Figures['bars'], count: (row: Figures['bars'][number]) => number) =>
    rows.reduce((total, row) => total + count(row), 0);
  const times = { since: iso(span.since).slice(0, 16), until: iso(span.until).slice(0, 16) };
  const requests = (decision: string, count: (row: Figures['bars'][number]) => number) => {
    const [now, before] = [sum(bars, count), sum(earlierBars, count)];
    const label = decision === 'allow' ? 'Allowed' : 'Denied';
    const note = html`${changeMarkup({ now, before })} (${grouped(before)} in ${span.before})`;
    return figure(label, grouped(now), path(['requests'], { decision, ...times }), note);
  };
  return html`<div class="figures">
    ${requests('allow', ({ allowed }) => allowed)} ${requests('deny', deniedIn)}
    ${figure('Active keys', total(active), path(['keys'], { state: 'active' }))}
    ${figure(`Expire within ${soonDays} days`, total(ending), path(['keys'], { expires_within: `${soonDays}d`, sort: 'expires_at' }))}
    ${figure(`Unused for ${unusedDays} days`, total(unused), path(['keys'], { unused_for: `${unusedDays}d` }))}
  </div>`;
}

/** The API counts no further than that. */
function total({ total_size }: Counted): string {
  return total_size > totalMax ? `${grouped(totalMax)}+` : grouped(total_size);
}

function endingPanel(ending: Counted, now: number): Markup {
  const href = path(['keys'], { expires_within: `${soonDays}d`, sort: 'expires_at' });
  const named = { id: 'ending', title: `Expire within ${soonDays} days`, none: 'No key expires so soon.' };
  return watchedPanel(
    { ...named, href },
    ending,
    ({ expires_at }) => ({ iso: expires_at, otherwise: 'never' }),
    now,
  );
}

function unusedPanel(unused: Counted, now: number): Markup {
  const href = path(['keys'], { unused_for: `${unusedDays}d` });
  const named = {
    id: 'unused',
    title: `Unused for ${unusedDays} days`,
    none: 'Every key is used, or is newer.',
  };
  const when = ({ last_used_at }: Key) => ({ iso: last_used_at, otherwise: 'never used' });
  return watchedPanel({ ...named, href }, unused, when, now);
}
