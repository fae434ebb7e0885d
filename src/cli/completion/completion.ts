import { Argument, type Command } from 'commander';
import type { Io } from '../terminal/command.ts';
import { describe } from '../terminal/describe.ts';
import { bashCompletion } from './bash.ts';
import { fishCompletion } from './fish.ts';
import { completionTree, type LikelyWords } from './tree.ts';
import { zshCompletion } from './zsh.ts';

const scripts = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

/** `completion`, after all other commands: it completes what there is in the program. */
export function addCompletionCommand(program: Command, io: Io): void {
  describe(
    program.command('completion'),
    'Prints a script that completes commands, flags and their values in a shell.',
    [
      'source <(postern completion bash)',
      'postern completion zsh > "$fpath[1]/_postern"',
      'postern completion fish > ~/.config/fish/completions/postern.fish',
    ],
  )
    .addArgument(new Argument('<shell>', 'for which shell').choices(Object.keys(scripts)))
    .action(async (shell: keyof typeof scripts) => {
      io.stdout.write(scripts[shell](completionTree(program, await likelyWords())));
    });
}

async function likelyWords(): Promise<LikelyWords> {
  const { presetNames } = await import('../../presets/read.ts');
  const { logLevels } = await import('../../settings/settings-schema.ts');
  return {
    '--scheme': presetNames,
    '--environment': ['live', 'test'],
    '--log-level': logLevels,
    '--expires-in': ['1d', '7d', '30d', '60d', '90d', 'never'],
    '--grace': ['1h', '24h', '7d'],
    '--method': ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    '--action': actionNames,
  };
}

/** The admin calls of which the journal tells. */
const actionNames =
  'CreateKey UpdateKey RotateKey RevokeKey DisableKey EnableKey PutOwner UpdateOwner ImportKeys ReportLeakedKeys'.split(
    ' ',
  );
