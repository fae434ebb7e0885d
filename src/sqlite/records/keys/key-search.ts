import type { KeySearch } from '../../../keys/key-search.ts';
import { labelLine, labelSearch, labelValue } from '../../../keys/label-text.ts';
import { foldedForms } from '../../../keys/name-text.ts';

const last4Length = 4;

/** Whether any key's prefix begins so; looked for once in a statement. */
const hasBegun = `EXISTS (SELECT 1 FROM keys AS begun INDEXED BY keys_by_prefix
  WHERE begun.prefix >= :search AND begun.prefix < :search_end)`;

const endedSo = 'FROM keys AS ended INDEXED BY keys_by_last4 WHERE lower(ended.last4) = lower(:search)';
/** Of four characters, in which few keys end alike: those are looked for once in a statement. */
const endedMax = 1_000;
const isLast = `CASE WHEN (SELECT count(*) FROM (SELECT 1 ${endedSo} LIMIT ${endedMax + 1})) > ${endedMax}
  THEN lower(last4) = lower(:search) ELSE keys.id IN (SELECT ended.id ${endedSo} LIMIT ${endedMax}) END`;

/** Whether a name has a part in it, whose forms are parameters of that name, {@link numbered}. */
export function inName(parameter: string, text: string): string {
  const forms = foldedForms(text).map((_, place) => `instr(name_folded, :${parameter}_${place}) > 0`);
  return `(${forms.join(' OR ')})`;
}

/** What of the keys a search finds; its parameters are {@link searchParameters}. */
export function searchCondition(search: KeySearch): string {
  switch (search.kind) {
    case 'id':
      return 'id = :search';
    case 'shown': {
      const prefixes = search.prefixes.map((_, place) => `:search_${place}`).join(', ');
      return `prefix IN (${prefixes})${search.last4 === null ? '' : ' AND last4 = :search_last4'}`;
    }
    case 'text': {
      // What is shown is read from JSON, seven times as slow as a name: where no key can have it so, no row is asked.
      // CASE, since SQLite would otherwise evaluate a subquery after what stands beside it.
      const isBegun = `CASE WHEN ${hasBegun} THEN substr(prefix, 1, length(:search)) = :search END`;
      const mayBeLast = search.text.length <= last4Length ? `OR ${isLast} ` : '';
      const isNamed =
        labelSearch(search.text).named === null ? '' : 'OR instr(labels_folded, :search_named) > 0 ';
      const isLabel = `instr(labels_folded, :search_value) > 0 ${isNamed}`;
      return `(${inName('search', search.text)} OR ${isLabel}${mayBeLast}OR ${isBegun})`;
    }
  }
}

export function searchParameters(search: KeySearch): Record<string, string> {
  switch (search.kind) {
    case 'id':
      return { search: search.id };
    case 'shown': {
      const { prefixes, last4 } = search;
      return { ...numbered('search', prefixes), ...(last4 !== null && { search_last4: last4 }) };
    }
    case 'text':
      return {
        ...{ search: search.text, search_end: `${search.text}\u{10ffff}` },
        ...labelParameters(search.text),
        ...numbered('search', foldedForms(search.text)),
      };
  }
}

function labelParameters(text: string): Record<string, string> {
  const { value, named } = labelSearch(text);
  return {
    search_value: labelValue(value),
    ...(named !== null && { search_named: labelLine(named.name, named.value) }),
  };
}

export function numbered(name: string, values: readonly string[]): Record<string, string> {
  return Object.fromEntries(values.map((value, place) => [`${name}_${place}`, value]));
}
