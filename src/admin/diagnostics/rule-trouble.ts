import type { KeyId, KeyRecord } from '../../keys/key.ts';
import { breachesOf, type KeyRule, rulesTaking } from '../../keys/key-rules.ts';
import { type Finding, warning } from '../../store/diagnosis/finding.ts';
import type { Store } from '../../store/store.ts';
import { yieldToOthers } from '../../time/yield-to-others.ts';

const pageSize = 500;
/** Keys that are looked at, the newest first. */
const keysMax = 100_000;

/** How many active and disabled keys are against the rules of the settings, as they are today. */
export async function findRuleTrouble(
  store: Pick<Store, 'listKeys'>,
  rules: readonly KeyRule[],
  now: number,
): Promise<Finding[]> {
  if (rules.length === 0) return [];
  const counts = { expires_at: 0, ip_allowlist: 0, owner: 0 };
  const owned = new Map<string, number>();
  let seen = 0;
  for (const state of ['active', 'disabled'] as const) {
    let before: KeyId | null = null;
    for (;;) {
      const page: KeyRecord[] = await store.listKeys({ state, now }, { before, size: pageSize });
      for (const key of page) count(key);
      seen += page.length;
      before = page.at(-1)?.id ?? null;
      if (page.length < pageSize || seen >= keysMax) break;
      await yieldToOthers();
    }
  }
  return Object.entries(counts).flatMap(([field, keys]) => (keys === 0 ? [] : [breach(field, keys, seen)]));

  function count(key: KeyRecord): void {
    if (key.expiresAt !== null && key.expiresAt <= now) return;
    for (const { field } of breachesOf(rules, key)) counts[field] += 1;
    if (key.owner === null || key.rotatedTo !== null) return;
    for (const rule of rulesTaking(rules, key)) {
      if (rule.keysPerOwnerMax === null) continue;
      const name = `${rules.indexOf(rule)} ${key.owner}`;
      const number = (owned.get(name) ?? 0) + 1;
      owned.set(name, number);
      if (number > rule.keysPerOwnerMax) counts.owner += 1;
    }
  }
}

const words: Readonly<Record<string, string>> = {
  expires_at: 'live longer than key_rules allow',
  ip_allowlist: 'have no ip_allowlist, which key_rules ask for',
  owner: 'are more than their owners may have by key_rules',
};

function breach(field: string, keys: number, seen: number): Finding {
  const among = seen >= keysMax ? ` (of the newest ${keysMax})` : '';
  return warning(
    `key_rules.${field}`,
    `${keys} ${keys === 1 ? 'key' : 'keys'}${among} ${words[field]}. They were made before the rule, and go on.`,
    'Rotate them to keys that keep to the rules, or change them: postern keys update KEY_ID.',
  );
}
