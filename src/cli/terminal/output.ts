// What a terminal would act on, or show in another order than it stands.
const unprintable = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** Text from elsewhere, on one line, with whatever could move a terminal's cursor or colours escaped. */
export function printable(text: string): string {
  return text.replaceAll(unprintable, escapeCharacter);
}

/** JSON over several lines that is safe on a terminal too; ends with a line feed. */
export function printableJson(value: unknown): string {
  return `${escapeInJson(JSON.stringify(value, null, 2))}\n`;
}

/** JSON on one line that is safe on a terminal too. */
export function printableJsonLine(value: unknown): string {
  return escapeInJson(JSON.stringify(value));
}

/** Rows of cells as lines, each column as wide as its widest cell; cells are made printable. */
export function table(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of cells) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, widthOf(cell));
  }
  const lines = cells.map((row) => row.map((cell, at) => cell + gap(cell, widths[at] ?? 0)).join('  '));
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}

function gap(cell: string, width: number): string {
  return ' '.repeat(width - widthOf(cell));
}

function widthOf(text: string): number {
  return [...text].length;
}

function escapeInJson(json: string): string {
  return json.replaceAll(unprintable, (character) =>
    character === '\n' ? character : escapeCharacter(character),
  );
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
