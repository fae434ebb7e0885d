import { isAllowed } from '../../../net/address.ts';
import type { Api } from '../../api.ts';
import type { Key, LoggedRequest, Page } from '../../api-answers.ts';
import { html, type Markup, timeMarkup } from '../../markup/markup.ts';
import { grouped } from '../../markup/parts.ts';
import { tableMarkup } from '../../markup/table.ts';

/** An address that a key was used from. */
export interface SeenAddress {
  readonly address: string;
  /** Requests in the part of the request log that was read; null where it has none of this address. */
  readonly requests: number | null;
  /** The last of them. */
  readonly lastSeen: string | null;
}

/** Rows of the log that a page reads at most: some milliseconds. */
const rowsMax = 1_000;
const addressesShown = 100;

/** The newest rows of the log of a key, as far as a page reads them; null where requests are not logged. */
export async function recentRequests(api: Api, id: string): Promise<Page<LoggedRequest> | null> {
  return api.requests(id, `page_size=${rowsMax}`);
}

/** Those of the usage and of the log, that with the most requests first, then the others as they come. */
export function seenAddresses(
  addresses: readonly string[],
  log: readonly LoggedRequest[],
): readonly SeenAddress[] {
  const found = new Map<string, { requests: number; lastSeen: string }>();
  for (const { address, count, at } of log) {
    if (address === null) continue;
    const later = found.get(address);
    // The log has the newest first.
    found.set(address, { requests: (later?.requests ?? 0) + count, lastSeen: later?.lastSeen ?? at });
  }
  const counted = [...found].map(([address, seen]) => ({ address, ...seen }));
  const others = addresses
    .filter((address) => !found.has(address))
    .map((address) => ({ address, requests: null, lastSeen: null }));
  return [...counted.toSorted((one, other) => other.requests - one.requests), ...others];
}

/** A table of them, with those marked that the key's allowlist has not. */
export function addressTable(
  seen: readonly SeenAddress[],
  { ip_allowlist: allowlist }: Pick<Key, 'ip_allowlist'>,
  log: Page<LoggedRequest> | null,
): Markup {
  if (seen.length === 0) return html`<p class="none">No address was seen in this time.</p>`;
  const hasList = allowlist.length > 0;
  const outside = seen.filter(({ address }) => hasList && !isAllowed(allowlist, address)).length;
  const shown = seen.slice(0, addressesShown);
  return html`${outside === 0 ? null : html`<p class="outside">${outside} of ${seen.length} ${outside === 1 ? 'is' : 'are'} not on its allowlist.</p>`}
    ${tableMarkup({
      caption: 'Addresses that the key was used from',
      columns: [
        'Address',
        { name: 'Requests', isNumeric: true },
        'Last seen',
        ...(hasList ? ['Allowlist'] : []),
      ],
      named: 0,
      rows: shown.map(({ address, requests, lastSeen }) => [
        html`<code>${address}</code>`,
        requests === null ? '–' : grouped(requests),
        timeMarkup(lastSeen, 'Before'),
        ...(hasList
          ? [isAllowed(allowlist, address) ? 'Allowed' : html`<strong class="outside">Not allowed</strong>`]
          : []),
      ]),
    })}
    ${noteOn(log)} ${seen.length > shown.length ? html`<p>And ${grouped(seen.length - shown.length)} more.</p>` : null}`;
}

/** How far the counts reach. */
function noteOn(log: Page<LoggedRequest> | null): Markup {
  if (log === null) return html`<p class="hint">Requests are not logged here: addresses are not counted.</p>`;
  const oldest = log.data.at(-1);
  if (log.next_page_token === null || oldest === undefined) return null;
  return html`<p class="hint">Counted over the requests since ${timeMarkup(oldest.at)}.</p>`;
}
