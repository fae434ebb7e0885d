/** An object or a list that is open where the text is read. */
interface Open {
  /** Of the members so far; null for a list. */
  readonly names: Set<string> | null;
  /** The member, or the place in the list, that is read. */
  at: string | number;
}

/** Paths that are looked for: each costs as much as the text is deep. */
const repeatedMax = 20;

/**
 * The paths of the members that an object of a JSON text has twice: whoever reads such a text may take either
 * (RFC 8259, section 4). The text must be JSON that can be read. At
 * most 20.
 */
export function repeatedMembers(text: string): string[] {
  const open: Open[] = [];
  const repeated: string[] = [];
  let isName = false;
  for (let at = 0; at < text.length && repeated.length < repeatedMax; at++) {
    const within = open.at(-1);
    switch (text[at]) {
      case '{':
      case '[':
        isName = text[at] === '{';
        open.push({ names: isName ? new Set() : null, at: 0 });
        break;
      case '}':
      case ']':
        open.pop();
        isName = false;
        break;
      case ',':
        isName = within?.names != null;
        if (typeof within?.at === 'number') within.at += 1;
        break;
      case '"': {
        const end = endOfText(text, at);
        if (isName && within?.names != null) {
          within.at = JSON.parse(text.slice(at, end + 1)) as string;
          if (within.names.has(within.at)) repeated.push(open.map((one) => one.at).join('.'));
          within.names.add(within.at);
        }
        isName = false;
        at = end;
      }
    }
  }
  return repeated;
}

/** Where the text that begins at that quote has its other one. */
function endOfText(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return end;
  }
}
