import type { FleetMutant } from './broken.ts';
import { fleetMutants, type ModelMutant, modelMutants, soundFleets } from './broken.ts';
import { judge } from './checks/checker.ts';
import { runModel } from './checks/keyring-model.ts';
import { createWitness } from './checks/witness.ts';
import { startFleet } from './fleet.ts';
import { buildMutant } from './mutant.ts';

// `node test/torture/mutants.ts [part of a title]`: exit code 1 where something that is broken is not found.
const [wanted = ''] = process.argv.slice(2);
let missed = 0;
for (const mutant of modelMutants) await tell(mutant.title, 'model', () => findByModel(mutant));
for (const mutant of fleetMutants) await tell(mutant.title, 'fleet', () => findByChecker(mutant));
for (const one of soundFleets) {
  await tell(one.title, 'sound', async () => ((await findByChecker(one)) === null ? 'as it is to be' : null));
}
process.exitCode = missed === 0 ? 0 : 1;

async function tell(title: string, how: string, find: () => Promise<string | null>): Promise<void> {
  if (!title.includes(wanted)) return;
  const began = performance.now();
  const found = await find();
  if (found === null) missed++;
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  process.stdout.write(`${found === null ? 'MISSED' : 'found '} ${how} ${seconds.padStart(5)} s  ${title}\n`);
  if (found !== null) process.stdout.write(`                      ${found}\n`);
}

async function findByModel(mutant: ModelMutant): Promise<string | null> {
  const { root, remove } = await buildMutant(mutant);
  try {
    const { failure } = await runModel({ seed: 1, ...mutant, root });
    return failure && `schedule ${failure.schedule}: ${failure.what}`;
  } finally {
    await remove();
  }
}

async function findByChecker(mutant: FleetMutant): Promise<string | null> {
  const { root, remove } = await buildMutant(mutant);
  try {
    const fleet = await startFleet({ ...mutant.fleet, root });
    const witness = createWitness({ seed: 0, stalenessMaxMs: mutant.fleet.stalenessMaxMs });
    try {
      await mutant.scenario(fleet, witness);
      const violations = judge(witness.records);
      const byRule = Map.groupBy(violations, ({ rule }) => rule);
      const counts = [...byRule].map(([rule, of]) => `${of.length} × ${rule}`);
      return counts.length === 0 ? null : counts.join('; ');
    } finally {
      witness.close();
      await fleet.stop();
    }
  } finally {
    await remove();
  }
}
