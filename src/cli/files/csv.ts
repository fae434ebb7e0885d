import { faulty, type Scan } from './text-records.ts';

/**
 * Scans a record of comma-separated values (RFC 4180): cells in double quotes may hold commas, line breaks and
 * doubled quotes. Lines end with LF or CRLF. A quote inside a cell that does not begin with one stands for itself.
 */
export const scanCsv: Scan<readonly string[]> = (text, start, isWhole) => {
  const cells: string[] = [];
  for (let at = start; ; ) {
    const cell = text[at] === '"' ? quotedCell(text, at, isWhole) : plainCell(text, at, isWhole);
    if (cell === null) return null;
    cells.push(cell.value);
    const next = text[cell.end];
    if (next === ',') {
      at = cell.end + 1;
      continue;
    }
    const end = lineEnd(text, cell.end);
    if (end !== null) return { end, read: { value: cells, fault: null } };
    // The quote may have been opened by mistake, lines before: what it held is read again, line by line.
    const feed = text.indexOf('\n', start);
    if (feed < 0 && !isWhole) return null;
    return { end: feed < 0 ? text.length : feed + 1, read: faulty('has text behind a closing quote') };
  }
};

interface Cell {
  readonly value: string;
  readonly end: number;
}

function plainCell(text: string, start: number, isWhole: boolean): Cell | null {
  const feed = text.indexOf('\n', start);
  if (feed < 0 && !isWhole) return null;
  const stop = feed < 0 ? text.length : feed;
  const comma = text.indexOf(',', start);
  if (comma >= 0 && comma < stop) return { value: text.slice(start, comma), end: comma };
  const end = feed > start && text[feed - 1] === '\r' ? feed - 1 : stop;
  return { value: text.slice(start, end), end };
}

function quotedCell(text: string, start: number, isWhole: boolean): Cell | null {
  let value = '';
  for (let from = start + 1; ; ) {
    const quote = text.indexOf('"', from);
    // What follows the last character of a piece may be a second quote, or the LF of a CRLF.
    if (quote < 0 || (quote + 2 >= text.length && !isWhole)) return null;
    value += text.slice(from, quote);
    if (text[quote + 1] !== '"') return { value, end: quote + 1 };
    value += '"';
    from = quote + 2;
  }
}

/** Where the next line begins, where a line ends here; null where it does not. */
function lineEnd(text: string, at: number): number | null {
  if (at >= text.length) return at;
  if (text[at] === '\n') return at + 1;
  return text.startsWith('\r\n', at) ? at + 2 : null;
}

/** A record as a line of CSV. */
export function csvLine(cells: readonly string[]): string {
  const quoted = cells.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell));
  return `${quoted.join(',')}\r\n`;
}
