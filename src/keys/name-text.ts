/**
 * What nobody sees: blanks, control and format characters, fillers, and marks that need a letter before them. U+2800
 * and U+1D159 are symbols by their category, and empty.
 */
const invisible = String.raw`\p{White_Space}\p{Default_Ignorable_Code_Point}\p{C}\p{M}\u2800\u{1d159}`;
/** A pictograph of tomorrow is a character that today's Unicode has not assigned. */
const visible = new RegExp(String.raw`[^${invisible}]|\p{Extended_Pictographic}`, 'u');

/** Whether a text has a character that can be seen. */
export function isVisible(text: string): boolean {
  return visible.test(text);
}

/**
 * A text as it is compared: the same for every case of its letters and every Unicode form (NFKC), however it was
 * composed; characters that nobody sees are left out. Close to Unicode's NFKC_Casefold, without its tables.
 */
export function foldText(text: string): string {
  const plain = text.normalize('NFKC').replace(/\p{Default_Ignorable_Code_Point}/gu, '');
  // By capitals, since only those of ß are ss, and ẞ is one already; a sigma at the end of a word is one as any other.
  return plain.toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ').normalize('NFKC');
}

/**
 * A part of a name in the forms that stored names may have: as {@link foldText} makes it, and, for those that an older
 * version wrote, in lower case as it was given, composed and decomposed.
 */
export function foldedForms(text: string): readonly string[] {
  const forms = [text, text.normalize('NFC'), text.normalize('NFD')].map((form) => form.toLowerCase());
  const known = [...new Set([foldText(text), ...forms])].filter((form) => form !== '');
  // Nothing is part of every name.
  return known.length === 0 ? [''] : known;
}
