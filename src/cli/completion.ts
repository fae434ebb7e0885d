import { Argument, type Command } from 'commander';
import type { Io } from './command.ts';
import { bashCompletion } from './completion-bash.ts';
import { fishCompletion } from './completion-fish.ts';
import { completionTree, type LikelyWords } from './completion-tree.ts';
import { zshCompletion } from './completion-zsh.ts';
import { describe } from './describe.ts';

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
  const { presetNames } = await import('../presets/read.ts');
  const { logLevels } = await import('../settings-schema.ts');
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
  'CreateKey UpdateKey RotateKey RevokeKey DisableKey EnableKey PutOwner ImportKeys ReportLeakedKeys'.split(
    ' ',
  );
