import type { Outcome } from './ask.ts';
import type { Identity, Model } from './model.ts';

/**
 * Throws where an answer holds what its caller may not know of: to one who is bound to an owner, an id, a secret, a
 * name of another's key or another owner; in a refusal, whatever was sent. It is sure of what the model's values
 * are only likely to find.
 */
export function checkSecrecy(model: Model, identity: Identity, outcome: Outcome): void {
  const text = JSON.stringify(outcome.ok ? withoutOwnDoings(outcome.value) : outcome.message);
  const isHidden = (owner: string | null) =>
    !outcome.ok || (identity.owner !== null && owner !== identity.owner);
  const traces = [
    ...model.keys
      .filter(({ owner }) => isHidden(owner))
      .flatMap(({ id, secret, name }) => [id.value, secret.value, `"${name}"`]),
    ...[...model.owners.keys()].filter(isHidden),
  ];
  const found = traces.find((trace) => trace !== null && text.includes(trace));
  if (found !== undefined) throw new Error(`tells of ${found}: ${text}`);
}

const doers: readonly string[] = ['actor', 'actor_name', 'created_by'];

/** Who did something to one's key may be told, and what one asked for in vain oneself. */
function withoutOwnDoings(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutOwnDoings);
  if (typeof value !== 'object' || value === null) return value;
  const isRefused = 'outcome' in value && value.outcome === 'refused';
  const members = Object.entries(value).filter(
    ([name]) => !doers.includes(name) && !(isRefused && name === 'target'),
  );
  return Object.fromEntries(members.map(([name, member]) => [name, withoutOwnDoings(member)]));
}
