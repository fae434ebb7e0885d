import { hasForm, type Prefix, type Scheme } from './scheme.ts';

/** Characters of a text that are looked at: no name, label or id has as many. */
const textMax = 4_096;
/** Characters of a key, and how many ends are tried for all beginnings together. */
const keyMax = 640;
const triesMax = 20_000;

/** Whether a whole key stands somewhere in a text, by its form. */
export type HoldsSecret = (text: string) => boolean;

/**
 * Finds keys of these schemes in what is to be written down and shown: names, labels, ids. Keys without a prefix are
 * told by nothing from any other word, and are not found.
 */
export function createSecretFinder(schemes: readonly Scheme[]): HoldsSecret {
  const forms = schemes.flatMap((scheme) =>
    scheme.prefixes.filter(({ text }) => text !== '').map((prefix) => ({ scheme, prefix })),
  );
  if (forms.length === 0) return () => false;
  const beginnings = [...new Set(forms.map(({ prefix }) => prefix.text))].map(escaped).join('|');
  const beginning = new RegExp(`(?=${beginnings})`, 'g');
  const anyBeginning = new RegExp(beginnings);

  return (given) => {
    if (given.length === 0) return false;
    const text = given.slice(0, textMax);
    // Nearly all have none, which this finds without a list of matches.
    if (!anyBeginning.test(text)) return false;
    let tries = 0;
    for (const { index } of text.matchAll(beginning)) {
      const isWithinWord = index > 0 && /[A-Za-z0-9]/.test(text.charAt(index - 1));
      for (const { scheme, prefix } of forms) {
        // Without a checksum the end of another word may look like a key: task_live_… like ak_live_….
        if (isWithinWord && scheme.checksum === null) continue;
        if (!text.startsWith(prefix.text, index)) continue;
        const shortest = index + shortestOf(scheme, prefix);
        for (let end = Math.min(text.length, index + keyMax); end >= shortest && tries < triesMax; end--) {
          tries++;
          if (hasForm(scheme, prefix, text.slice(index, end))) return true;
        }
      }
    }
    return false;
  };
}

function shortestOf({ bodyLengthMin, checksum }: Scheme, { text }: Prefix): number {
  return text.length + bodyLengthMin + (checksum?.length ?? 0);
}

function escaped(text: string): string {
  return text.replace(/[.\\-]/g, '\\$&');
}
