/** The picture of a terminal: well-formed XML that shows the text unchanged and loads nothing. */
import { readFile } from 'node:fs/promises';
import { expect } from 'chai';

import { terminalSvg } from '../../scripts/picture/terminal-svg.ts';

describe('terminalSvg', () => {
  it('puts each piece of one colour at its column', () => {
    const svg = terminalSvg('\u001b[2m+0.1s\u001b[22m  \u001b[1m\u001b[32mweb-1\u001b[39m\u001b[22m  done', 'a run');
    expect(
      [...svg.matchAll(/<text x="([\d.]+)"(.*?)>(.*?)<\/text>/g)].map(([, x, style, text]) => [x, style, text]),
    ).to.deep.equal([
      ['16.0', ' y="29.5" textLength="39.0" fill-opacity="0.6"', '+0.1s'],
      ['70.6', ' y="29.5" textLength="39.0" font-weight="700" fill="#3fb950"', 'web-1'],
      ['125.2', ' y="29.5" textLength="31.2"', 'done'],
    ]);
  });

  it('escapes XML characters', () => {
    const svg = terminalSvg('a < b && "c" > d', 'a "label"');
    expect(svg)
      .to.include('a &lt; b &amp;&amp; &quot;c&quot; &gt; d')
      .and.to.include('aria-label="a &quot;label&quot;"');
    expect(problemOf(svg)).to.equal(undefined);
  });
});

describe('docs/images/terminal.svg', () => {
  it('is well-formed, loads nothing, and shows who applies, who waits, and the caret (else: npm run picture)', async () => {
    const svg = await readFile(new URL('../../docs/images/terminal.svg', import.meta.url), 'utf8');
    expect(problemOf(svg)).to.equal(undefined);
    expect(svg.replace('xmlns="http://www.w3.org/2000/svg"', '')).to.not.match(/href|url\(|https?:|@import|<script/);
    const shown = [...svg.matchAll(/<text [^>]*>(.*?)<\/text>/g)].map(([, text = '']) => text);
    expect(shown.filter((text) => text.startsWith('waits for web-'))).to.have.length(4);
    expect(shown.filter((text) => text.startsWith('skips all 3'))).to.have.length(4);
    expect(shown).to.include('^');
  });
});

it('problemOf finds what is not well-formed', () => {
  expect(problemOf('<a><b></a>')).to.equal('</a> ends <b>');
  expect(problemOf('<a>')).to.equal('<a> has no end');
  expect(problemOf('<a b=c/>')).to.include('not markup');
  expect(problemOf('<a>& </a>')).to.include('not text');
});

/** The first broken XML rule: tags close in order, attributes are quoted, `&` starts an entity. */
function problemOf(xml: string): string | undefined {
  const open: string[] = [];
  for (const [, text = '', markup] of xml.matchAll(/([^<]*)(<[^>]*>)?/g)) {
    if (/&(?!(?:amp|lt|gt|quot);)|>/.test(text)) return `${text} is not text`;
    if (markup === undefined) continue;
    const tag = /^<(\/?)([\w-]+)(?:\s+[\w:-]+="(?:[^"<&]|&\w+;)*")*\s*(\/?)>$/.exec(markup);
    if (tag === null) return `${markup} is not markup`;
    const [, end, name = '', empty] = tag;
    if (end === '/') {
      const last = open.pop();
      if (last !== name) return `</${name}> ends <${last ?? ''}>`;
    } else if (empty === '') open.push(name);
  }
  return open.length === 0 ? undefined : `<${open.at(-1)!}> has no end`;
}
