/** One instruction of a Dockerfile, with its continued lines joined. */
export interface Instruction {
  /** In capitals, as in `COPY`. */
  readonly name: string;
  /** `--flag=value` in front of the rest. */
  readonly flags: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface Stage {
  readonly name: string;
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

/** What the last stage says of how it is run. */
export interface ImageSettings {
  readonly environment: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly healthcheck: readonly string[];
  readonly healthcheckFlags: Readonly<Record<string, string>>;
  readonly user: string;
  readonly folder: string;
  readonly volumes: readonly string[];
  readonly stopSignal: string;
}

/** The stages of a Dockerfile, with the defaults of its ARGs put in. Throws on what it cannot read. */
export function readDockerfile(text: string): Stage[] {
  const stages: { name: string; base: string; instructions: Instruction[] }[] = [];
  const global = new Map<string, string>();
  let scope = new Map<string, string>();
  for (const raw of readInstructions(text)) {
    const instruction = { ...raw, text: fillIn(raw.text, new Map([...global, ...scope])) };
    const stage = stages.at(-1);
    if (raw.name === 'ARG') {
      const [name = '', value = ''] = raw.text.split('=');
      (stage === undefined ? global : scope).set(name, value);
    } else if (raw.name === 'FROM') {
      const [base = '', , name = String(stages.length)] = instruction.text.split(/\s+/);
      stages.push({ name, base, instructions: [] });
      scope = new Map();
    } else if (stage === undefined) throw new Error(`${raw.name} before FROM`);
    else stage.instructions.push(instruction);
  }
  return stages;
}

/** How the last stage is run. */
export function readSettings(stage: Stage): ImageSettings {
  const all = (name: string) => stage.instructions.filter((one) => one.name === name);
  const last = (name: string) => all(name).at(-1);
  const health = last('HEALTHCHECK');
  return {
    environment: Object.fromEntries(all('ENV').flatMap(({ text }) => pairs(text))),
    labels: Object.fromEntries(all('LABEL').flatMap(({ text }) => pairs(text))),
    entrypoint: execForm(last('ENTRYPOINT')?.text),
    command: execForm(last('CMD')?.text),
    healthcheck: execForm(health?.text.replace(/^CMD\s+/, '')),
    healthcheckFlags: health?.flags ?? {},
    user: last('USER')?.text ?? '',
    folder: last('WORKDIR')?.text ?? '/',
    volumes: all('VOLUME').flatMap(({ text }) => text.split(/\s+/)),
    stopSignal: last('STOPSIGNAL')?.text ?? 'SIGTERM',
  };
}

function readInstructions(text: string): Instruction[] {
  const lines = text.split('\n').filter((line) => !/^\s*#/.test(line));
  return lines
    .join('\n')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', flagText = '', rest = ''] = /^([A-Z]+)((?:\s+--\S+)*)\s+(.*)$/.exec(line) ?? [];
      if (name === '') throw new Error(`no instruction: ${line}`);
      const flags = [...flagText.matchAll(/--([a-z-]+)=(\S+)/g)].map(([, flag, value]) => [flag, value]);
      return { name, flags: Object.fromEntries(flags), text: rest.trim() };
    });
}

function fillIn(text: string, values: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => {
    const value = values.get(name);
    if (value === undefined) throw new Error(`nothing is known of ${name}`);
    return value;
  });
}

function pairs(text: string): [string, string][] {
  return [...text.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S+))/g)].map(([, name = '', quoted, plain = '']) => [
    name,
    quoted ?? plain,
  ]);
}

function execForm(text: string | undefined): string[] {
  if (text === undefined) throw new Error('the instruction is missing');
  return JSON.parse(text) as string[];
}
