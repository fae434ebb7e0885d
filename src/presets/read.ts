/**
 * Room `presets/`: The schemes that ship. Here: one YAML file each, data alone. Not here: code for one vendor.
 */

import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { Scheme } from '../schemes/scheme.ts';
import { answerTable } from '../settings/schemes/answer-spec.ts';
import { createScheme, schemeSpec } from '../settings/schemes/scheme-spec.ts';

/** The schemes that there are where the settings list none, the product's own first. */
export const defaultPresets = ['postern', 'mavera', 'powerverse', 'converra', 'modelriver', 'mira'] as const;

/** Those, and those that are listed by name alone. */
export const presetNames = [...defaultPresets, 'problem'] as const;

export type PresetName = (typeof presetNames)[number];

let known: ReadonlyMap<PresetName, Scheme> | null = null;

/** Every preset, which is read once in a process; it throws only on a broken installation. */
export function readPresets(): ReadonlyMap<PresetName, Scheme> {
  known ??= read();
  return known;
}

function read(): ReadonlyMap<PresetName, Scheme> {
  const specs = presetNames.map((name) => {
    const text = readFileSync(new URL(`./${name}.yaml`, import.meta.url), 'utf8');
    return [name, schemeSpec.parse(parse(text))] as const;
  });
  const own = specs[0]?.[1].answers;
  if (own === undefined) throw new Error("the product's own scheme has no answers");
  const answers = answerTable(own, {});
  return new Map(specs.map(([name, spec]) => [name, createScheme(spec, { answers, checksumKeys: [] })]));
}
