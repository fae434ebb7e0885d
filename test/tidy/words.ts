import { type File, find, withoutComments } from './repository.ts';
import type { Rule } from './rules.ts';

/** What people read would rather say otherwise: the words, and what stands in their place. */
const ROUNDABOUT: readonly (readonly [said: RegExp, better: string])[] = [
  [/\bcan not\b/gi, '"cannot" is one word'],
  [/\bturn(?:s|ed|ing)? away\b/gi, 'say deny'],
  [/\b(?:be|been|is|are|was|were|never|and) let in\b/gi, 'say allow'],
  [
    /\blets? (?:it|them|him|her|nobody|anybody|everybody|who|whom|keys?|callers?|requests?) in\b|\blets in\b/gi,
    'say allow',
  ],
  [/(?<!\bthere )\b(?:is|are|was) no (?:valid |admin |API |stored )?keys?\b/gi, 'say not a key, or invalid'],
  [
    /(?<!\bthere )\bis no (?:JSON|YAML|IP|RFC|SHA|id\b|name for|method|number|whole|folder|file that|address|URL|plan of|time\b|event\b)/gi,
    'say is not',
  ],
  [/\bwhat is set is\b|\bof which there is one\b|\bwhat asks for none\b/gi, 'name the thing'],
  [/--address-of-caller\b/g, 'is --client-ip now'],
];

/** Places that may name what a flag was called before. */
const OLD_NAMES = ['src/cli/keys/verify.ts', 'CHANGELOG.md', 'docs/upgrading.md'];

/** Pages, help, messages, settings and charts are read by people; comments of the code by those who wrote it. */
function isRead({ path }: Pick<File, 'path'>): boolean {
  if (/^src\/.*\.ts$/.test(path)) return true;
  return /^(?:README|SECURITY|CONTRIBUTING|CHANGELOG)\.md$|^docs\/.*\.md$|^(?:deploy|src)\/.*\.(?:yaml|txt|lua|conf|cfg)$|^proto\/.*\.proto$/.test(
    path,
  );
}

/** The words that are not welcome where people read, beside the rules of the code. */
export const plainWords: Rule = {
  title: 'what people read says it in plain words',
  check: (files) =>
    files.filter(isRead).flatMap((file) => {
      const text = file.path.endsWith('.ts') ? withoutComments(file) : file;
      return ROUNDABOUT.filter(
        ([said]) => !(said.source.startsWith('--') && OLD_NAMES.includes(file.path)),
      ).flatMap(([said, better]) => find(text, said, better));
    }),
  broken: {
    'README.md': 'You can not.\nTurned away.\nIt is never let in.\nThis lets nobody in.\n',
    'docs/a.md':
      'This is no admin key.\nThe text is no JSON.\npostern keys verify --address-of-caller 10.0.0.1\n',
    'src/a.ts': "// it is no key\nconst a = 'what is set is fine';\n",
  },
  breaks: 8,
};
