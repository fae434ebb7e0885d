import { Document, isPair, isScalar, isSeq, visit } from 'yaml';
import { defaultPresets } from '../../presets/read.ts';
import type { SettingPath } from '../../settings/config-problem.ts';
import {
  formsOf,
  type JsonSchema,
  schemaAt,
  settingsJsonSchema,
} from '../../settings/settings-json-schema.ts';
import type { ExaminedSettings } from './settings.ts';

/** The settings that hold, as YAML which is a settings file again, save for what is masked. */
export function printSettings({ tree, secretsSet, originOf }: ExaminedSettings): string {
  const given = { schemes: defaultPresets, ...(tree as object) };
  const effective = withDefaults(settingsJsonSchema(), given) as Record<string, unknown>;
  const shown = { ...effective, store: withoutSecrets(String(effective.store)) };
  const document = new Document(shown, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key !== 'key') node.comment = ` ${originOf(pathOf([...ancestors, node])) ?? 'default'}`;
    },
  });
  const secrets = secretsSet.map((name) => `# ${name}: (set)\n`);
  return document.toString({ lineWidth: 0 }) + secrets.join('');
}

/** What is given, with the default of every member that is not. */
function withDefaults(schema: JsonSchema, given: unknown): unknown {
  const forms = formsOf(schema);
  if (Array.isArray(given)) {
    const items = { anyOf: forms.flatMap((form) => form.items ?? []) };
    return given.map((item) => withDefaults(items, item));
  }
  if (typeof given === 'string') return numberWhereTaken(forms, given);
  if (typeof given !== 'object' || given === null) return given;
  const names = Object.keys(given);
  const form = forms.find(
    (candidate) => candidate.type === 'object' && names.every((name) => schemaAt(candidate, name) !== null),
  );
  if (form === undefined) return given;
  const all = new Set([...Object.keys(form.properties ?? {}), ...names]);
  const members = [...all].flatMap((name) => {
    const member = schemaAt(form, name) ?? {};
    const value = names.includes(name) ? (given as Record<string, unknown>)[name] : member.default;
    return value === undefined ? [] : [[name, withDefaults(member, value)] as const];
  });
  return Object.fromEntries(members);
}

/** The environment and flags have numbers as texts; the file has them as numbers. */
function numberWhereTaken(forms: readonly JsonSchema[], given: string): string | number {
  const takesNumber = forms.some(({ type }) => type === 'integer');
  return takesNumber && /^[1-9][0-9]{0,14}$/.test(given) ? Number(given) : given;
}

/** The path of the last of these nodes, each of which is inside of the one before. */
function pathOf(nodes: readonly unknown[]): SettingPath {
  return nodes.flatMap((node, index): SettingPath => {
    if (isPair(node) && isScalar(node.key)) return [String(node.key.value)];
    return isSeq(node) ? [node.items.indexOf(nodes[index + 1])] : [];
  });
}

/** A store's address without its password, and without the options in which a password or a token may stand. */
function withoutSecrets(store: string): string {
  return store
    .replace(/^(mongodb[^/]*:\/\/[^:@/]*):[^@/]*@/, '$1:***@')
    .replace(/([?&](?:[^=&]*password|authMechanismProperties)=)[^&]*/gi, '$1***');
}
