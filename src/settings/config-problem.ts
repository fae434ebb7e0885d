export type SettingPath = readonly (string | number)[];

/** One thing that is wrong with the settings, or that is hardly meant. */
export interface ConfigProblem {
  /** Where in the tree; a secret is named by its environment variable. */
  readonly path: SettingPath;
  /** What is wrong and what was expected; never the value of a secret. */
  readonly message: string;
}

/** The settings cannot be used; it holds all that is wrong with them. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}
