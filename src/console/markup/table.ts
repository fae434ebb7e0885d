import { type Element, html, type Markup } from './markup.ts';

/** A row: a cell for each column, one of which names the row. */
export type Row = readonly Markup[];

/** What stands above a column; a text is a name alone. */
export interface Column {
  readonly name: string;
  /** What the cells of it are told from others by in a style sheet. */
  readonly kind?: string;
  /** Whether it is of numbers, which stand at the right. */
  readonly isNumeric?: boolean;
  /** Whether its name is but for who does not see it. */
  readonly isUnseen?: boolean;
  /** In place of the name, as in a box that selects all. */
  readonly head?: Markup;
  /** Where a list sorted by it is, and how it is now; null for by another. */
  readonly sort?: Sort;
  /** Another link beside the name: of what else stands in the column. */
  readonly beside?: { readonly name: string; readonly href: string; readonly isCurrent: boolean };
}

export interface Sort {
  readonly href: string;
  readonly direction: 'ascending' | 'descending' | null;
}

export interface Table {
  /** Says what is listed, to who does not see it. */
  readonly caption: string;
  readonly columns: readonly (string | Column)[];
  /** Which column names a row. */
  readonly named: number;
  readonly rows: readonly Row[];
  /** `reflow`: cards of labels and values where there is no room. A list has a style of its own. */
  readonly kind?: string;
}

/**
 * A table that becomes a list of cards where there is no room. Its roles are written out, since a browser takes them
 * from what it does not lay out as a table.
 */
export function tableMarkup({ caption, columns: given, named, rows, kind = 'reflow' }: Table): Element {
  const columns = given.map((column) => (typeof column === 'string' ? { name: column } : column));
  return html`<table class=${kind} role="table">
    <caption class="unseen">${caption}</caption>
    <thead role="rowgroup">
      <tr role="row">
        ${columns.map(headMarkup)}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map((row) => html`<tr role="row">${row.map((cell, at) => cellMarkup(cell, columns[at] ?? { name: '' }, at === named))}</tr>`)}
    </tbody>
  </table>`;
}

function headMarkup(column: Column): Element {
  const { name, head = name, sort, beside, isUnseen = false } = column;
  const shown = isUnseen ? html`<span class="unseen">${name}</span>` : head;
  return html`<th
    scope="col"
    role="columnheader"
    class=${classOf(column)}
    aria-sort=${sort?.direction ?? undefined}
    >${sort === undefined ? shown : html`<a href=${sort.href}>${shown}</a>`}${besideMarkup(beside)}</th
  >`;
}

function besideMarkup(beside: Column['beside']): Markup {
  if (beside === undefined) return null;
  return html`<a class="beside" href=${beside.href} aria-current=${beside.isCurrent ? 'true' : undefined}>${beside.name}</a>`;
}

function classOf({ kind, isNumeric = false }: Column): string | undefined {
  return [kind, isNumeric && 'numeric'].filter(Boolean).join(' ') || undefined;
}

function cellMarkup(cell: Markup, column: Column, isName: boolean): Element {
  const inner = html`<div>${cell}</div>`;
  const shared = { class: classOf(column), 'data-label': column.name };
  return isName
    ? html`<th scope="row" role="rowheader" ...${shared}>${inner}</th>`
    : html`<td role="cell" ...${shared}>${inner}</td>`;
}
