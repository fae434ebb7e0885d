/** A fenced block of code on a page of Markdown. */
export interface Block {
  /** `sh`, `yaml`, … ; empty for none. */
  readonly language: string;
  /** What follows the language: the name of the file that the block is, or `background`. */
  readonly role: string;
  readonly text: string;
  /** Of its first line, from 1. */
  readonly line: number;
}

/** The fenced blocks of a page, those that are indented under a list too. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const [, indent = '', language = '', role = ''] =
      /^( *)```([a-z]*)(?: (\S+))?$/.exec(lines[at] ?? '') ?? [];
    if (!/^ *```/.test(lines[at] ?? '')) continue;
    const end = lines.findIndex((line, place) => place > at && line === `${indent}\`\`\``);
    if (end < 0) throw new Error(`the block of line ${at + 1} has no end`);
    const text = lines.slice(at + 1, end).map((line) => line.slice(indent.length));
    blocks.push({ language, role, text: `${text.join('\n')}\n`, line: at + 2 });
    at = end;
  }
  return blocks;
}

/** Where a page links to: paths as they are written, and addresses. */
export function linksOf(markdown: string): string[] {
  const prose = markdown.replaceAll(/^( *)```[\s\S]*?^\1```$/gm, '').replaceAll(/`[^`\n]*`/g, '');
  const inText = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
  const inTags = [...prose.matchAll(/\b(?:src|srcset|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
  return [...inText, ...inTags];
}

/** The anchors that GitHub gives the headings of a page. */
export function anchorsOf(markdown: string): string[] {
  const headings = markdown.replaceAll(/^( *)```[\s\S]*?^\1```$/gm, '').matchAll(/^#{1,6} +(.*)$/gm);
  return [...headings].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
