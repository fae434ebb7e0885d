import { type Element, html, type Markup } from './markup.ts';

/** A row: a cell for each column, one of which names the row. */
export type Row = readonly Markup[];

export interface Table {
  /** Says what is listed, to who does not see it. */
  readonly caption: string;
  readonly columns: readonly string[];
  /** Which column names a row. */
  readonly named: number;
  readonly rows: readonly Row[];
}

/**
 * A table that becomes a list of cards where there is no room. Its roles are written out, since a browser takes them
 * from what it does not lay out as a table.
 */
export function tableMarkup({ caption, columns, named, rows }: Table): Element {
  return html`<table class="reflow" role="table">
    <caption class="unseen">${caption}</caption>
    <thead role="rowgroup">
      <tr role="row">
        ${columns.map((column) => html`<th scope="col" role="columnheader">${column}</th>`)}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map((row) => html`<tr role="row">${row.map((cell, at) => cellMarkup(cell, columns[at] ?? '', at === named))}</tr>`)}
    </tbody>
  </table>`;
}

function cellMarkup(cell: Markup, column: string, isName: boolean): Element {
  const inner = html`<div>${cell}</div>`;
  return isName
    ? html`<th scope="row" role="rowheader" data-label=${column}>${inner}</th>`
    : html`<td role="cell" data-label=${column}>${inner}</td>`;
}
