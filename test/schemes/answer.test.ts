import { describe, expect, it } from 'vitest';
import { compileTemplate, TemplateError } from '../../src/schemes/answer.ts';

describe('compileTemplate', () => {
  it('puts whole values in outside strings, and escaped text inside them', () => {
    const body = compileTemplate(
      '{"ip":{{client_ip}},"all":{{allowed_ips}},"text":"from {{client_ip}}: {{allowed_ips}}"}',
    );
    const values = { client_ip: '"\\\n', allowed_ips: ['a"b', 'c'] };
    expect(JSON.parse(body(values))).toEqual({ ip: '"\\\n', all: ['a"b', 'c'], text: 'from "\\\n: a"b, c' });
  });

  it('puts null where a value is not known', () => {
    expect(compileTemplate('{"at":{{ expired_at }},"text":"{{expired_at}}"}')({})).toBe(
      '{"at":null,"text":""}',
    );
  });

  it('keeps a text without placeholders to the byte', () => {
    const text = '{ "b": 1,\n  "a": "\\u00e9" }';
    expect(compileTemplate(text)({})).toBe(text);
  });

  it('knows that a quote can be escaped inside a string', () => {
    expect(compileTemplate('{"a":"\\"{{reason}}\\\\","b":{{limit}}}')({ reason: 'unknown', limit: 3 })).toBe(
      '{"a":"\\"unknown\\\\","b":3}',
    );
  });

  it.each([
    ['{"a":{{nobody}}}', /unknown placeholder \{\{nobody\}\}; there are: reason, /],
    ['{"a":{{__proto__}}}', /unknown placeholder/],
    ['{"a":{{client_ip}}', /not JSON/],
    ['{"a":"{{client_ip}}}', /not JSON/],
    ['plain text', /not JSON/],
    ['', /not JSON/],
  ])('refuses %s', (template, why) => {
    expect(() => compileTemplate(template)).toThrow(TemplateError);
    expect(() => compileTemplate(template)).toThrow(why);
  });
});
