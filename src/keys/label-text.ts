import { foldText } from './name-text.ts';

/**
 * Labels as they are searched, folded as names are: each behind the end of a line, with a tab between name and value.
 * Null for none.
 */
export function foldLabels(labels: Readonly<Record<string, string>>): string | null {
  const lines = Object.entries(labels).map(([name, value]) => labelLine(name, value));
  return lines.length === 0 ? null : lines.join('');
}

/** As {@link foldLabels} has a label that begins so. */
export function labelLine(name: string, value: string): string {
  return `\n${foldText(name)}${labelValue(value)}`;
}

/** As {@link foldLabels} has a value that begins so. */
export function labelValue(value: string): string {
  return `\t${foldText(value)}`;
}

/** What a text that is searched for says of a label: the beginning of its value, and its whole name where it has `=`. */
export interface LabelSearch {
  readonly value: string;
  readonly named: { readonly name: string; readonly value: string } | null;
}

/** Whether a search for the text finds one of these labels. */
export function hasLabel(labels: Readonly<Record<string, string>>, text: string): boolean {
  const lines = foldLabels(labels) ?? '';
  const { value, named } = labelSearch(text);
  return (
    lines.includes(labelValue(value)) ||
    (named !== null && lines.includes(labelLine(named.name, named.value)))
  );
}

export function labelSearch(text: string): LabelSearch {
  const [name, ...rest] = text.split('=');
  return {
    value: text,
    named: name === undefined || rest.length === 0 ? null : { name, value: rest.join('=') },
  };
}
