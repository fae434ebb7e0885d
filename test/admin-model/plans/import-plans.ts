import { hash } from 'node:crypto';
import { Learned } from '../learned.ts';
import { isVisible, type Model, type ModelKey, shownKey } from '../model.ts';
import type { Row, StepOf } from '../step.ts';
import { beginnings, newKey } from './key-plans.ts';
import { asking, type Change, type Plan, present, presentedBy } from './plan.ts';

export function importPlan(model: Model, { rows, isDryRun }: StepOf<'import'>): Plan {
  const keys = rows.map((row) => importedInput(model, row));
  return {
    ask: asking('importKeys', { keys: keys.map(({ input }) => input), dry_run: isDryRun }),
    needs: 'write',
    predict(identity) {
      const [failures, duplicates]: [{ index: number; field: string }[], number[]] = [[], []];
      const made: ModelKey[] = [];
      const importId = new Learned();
      const tried = new Set<string>();
      const taken = new Set(model.keys.map(({ secret }) => secret.value));
      for (const [index, { row, text, shown, input }] of keys.entries()) {
        const owner = row.owner ?? identity.owner;
        if (shown === null) failures.push({ index, field: row.as });
        else if (identity.owner !== null && owner !== identity.owner)
          failures.push({ index, field: 'owner' });
        else if (tried.has(text)) duplicates.push(index);
        else {
          tried.add(text);
          if (taken.has(text)) {
            duplicates.push(index);
            continue;
          }
          made.push(
            importedKey(model, row, {
              ...shown,
              text,
              owner,
              by: identity.actor,
              importId,
              name: String(input.name),
            }),
          );
        }
      }
      const value = { imported: made.length, duplicates, failures };
      if (isDryRun || made.length === 0) return { value };
      model.keys.push(...made);
      // One owner's where it is so of all that went in.
      const [owner = null, ...others] = new Set(made.map((key) => key.owner));
      return {
        value,
        changes: [
          {
            ...{ target: importId, target_name: null },
            owner: others.length > 0 ? null : owner,
            before: null,
            after: { imported: made.length },
          },
        ],
      };
    },
  };
}

interface Shown {
  readonly scheme: string;
  readonly environment: string;
}

interface Given {
  readonly text: string;
  readonly name: string;
  readonly owner: string | null;
  readonly by: ModelKey['createdBy'];
  readonly importId: Learned;
}

function importedInput(model: Model, row: Row) {
  model.names += 1;
  const { text, key } = presentedBy(model, row.secret);
  const shown: Shown | null = model.spares.find((spare) => spare.text === text) ?? key;
  const expires = row.expiresInMs === null ? null : new Date(model.now + row.expiresInMs).toISOString();
  const sha256 = hash('sha256', text, 'hex');
  const credential = row.as === 'secret' ? { secret: text } : { sha256: shown === null ? 'x' : sha256 };
  const input = present({
    ...{ ...credential, name: `Imported ${model.names}`, owner: row.owner, permissions: row.permissions },
    ...{
      scheme: shown?.scheme,
      environment: shown?.environment,
      expires_at: expires,
      disabled: row.disabled,
    },
  });
  return { row, text, shown, input };
}

function importedKey(
  model: Model,
  row: Row,
  { text, name, scheme, environment, owner, by, importId }: Shown & Given,
): ModelKey {
  const beginning = beginnings[scheme]?.[environment] ?? '';
  const grants = { name, scheme, environment, owner, permissions: row.permissions, ipAllowlist: [] };
  const secret = learned(text);
  const isWhole = row.as === 'secret';
  return newKey(
    model,
    {
      ...{ ...grants, plan: null, rateLimit: null, labels: {} },
      expiresAt: row.expiresInMs === null ? null : model.now + row.expiresInMs,
    },
    {
      ...{ createdBy: by, importId, secret, isDisabled: row.disabled, last4: isWhole ? text.slice(-4) : '' },
      prefix: learned(isWhole ? text.slice(0, beginning.length + 4) : beginning),
    },
  );
}

function learned(text: string): Learned {
  const one = new Learned();
  one.see(text);
  return one;
}

export function leakPlan(model: Model, { secret }: StepOf<'leak'>): Plan {
  model.names += 1;
  const { text, key } = presentedBy(model, secret);
  const url = `https://example.com/${model.names}`;
  const keys = [{ key: 'no such key' }, { key: text, url, source: 'a search' }];
  return {
    ask: asking('reportLeakedKeys', { keys }),
    needs: 'write',
    predict: (identity) => ({
      ...{ value: { received: keys.length }, settles: 'always' },
      changes: key === null || !isVisible(identity, key) ? [] : [leaked(model, key, url)],
    }),
  };
}

function leaked(model: Model, key: ModelKey, url: string): Change {
  const before = shownKey(model, key);
  if (key.revokedAt === null) {
    Object.assign(key, { revokedAt: model.now, updatedAt: model.now });
    key.etags.push(new Learned([...key.etags]));
  }
  const after = { ...shownKey(model, key), leaked: { url, source: 'a search' } };
  return { target: key.id, target_name: key.name, owner: key.owner, before, after };
}
