// Answers: how does a terminal look as a picture? Turns text with ANSI colours into an SVG that needs no font, script
// or file of others.
const CELL = { width: 7.8, height: 18, padding: 16 } as const;
const FONT = 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace';
const COLOURS = { background: '#0d1117', text: '#e6edf3' } as const;

/** What an SGR parameter (ECMA-48, 8.3.117) changes; any other is ignored. */
const STYLES: Readonly<Record<string, Style>> = {
  '1': { 'font-weight': '700' },
  '2': { 'fill-opacity': '0.6' },
  '31': { fill: '#ff7b72' },
  '32': { fill: '#3fb950' },
  '33': { fill: '#d29922' },
  '34': { fill: '#58a6ff' },
  '36': { fill: '#39c5cf' },
  '90': { fill: '#8b949e' },
};
/** Parameters that end a style, with the attributes they end. */
const ENDS: Readonly<Record<string, readonly (keyof Style)[]>> = {
  '0': ['fill', 'fill-opacity', 'font-weight'],
  '22': ['fill-opacity', 'font-weight'],
  '39': ['fill'],
};

interface Style {
  readonly fill?: string;
  readonly 'fill-opacity'?: string;
  readonly 'font-weight'?: string;
}

export function terminalSvg(screen: string, label: string): string {
  const lines = screen.trimEnd().split('\n');
  const columns = Math.max(...lines.map((line) => plain(line).length));
  const width = Math.ceil(columns * CELL.width + 2 * CELL.padding);
  const height = lines.length * CELL.height + 2 * CELL.padding;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(label)}">`,
    `  <rect width="100%" height="100%" rx="8" fill="${COLOURS.background}"/>`,
    `  <g font-family="${FONT}" font-size="13" fill="${COLOURS.text}" xml:space="preserve">`,
    ...lines.flatMap((line, index) => textOf(line, CELL.padding + (index + 0.75) * CELL.height)),
    '  </g>',
    '</svg>',
    '',
  ].join('\n');
}

/** One text element per piece of one style, each at its own column: fonts differ in width. */
function textOf(line: string, y: number): string[] {
  let column = 0;
  return pieces(line).flatMap(({ text, style }) => {
    const indent = text.length - text.trimStart().length;
    const x = CELL.padding + (column + indent) * CELL.width;
    column += text.length;
    const shown = text.trim();
    if (shown === '') return [];
    const attributes = Object.entries(style).map(([name, value]) => ` ${name}="${String(value)}"`);
    const length = (shown.length * CELL.width).toFixed(1);
    return `    <text x="${x.toFixed(1)}" y="${y}" textLength="${length}"${attributes.join('')}>${escaped(shown)}</text>`;
  });
}

function pieces(line: string): { text: string; style: Style }[] {
  let style: Style = {};
  // Odd elements are the parameters of an escape sequence.
  return line.split(ESCAPE).flatMap((part, index) => {
    if (index % 2 === 0) return part === '' ? [] : [{ text: part, style }];
    for (const parameter of part.split(';')) {
      const ended: readonly string[] = ENDS[parameter] ?? [];
      const kept = Object.entries(style).filter(([name]) => !ended.includes(name));
      style = { ...Object.fromEntries(kept), ...STYLES[parameter] };
    }
    return [];
  });
}

const ESCAPE = /\u001b\[([\d;]*)m/;

function plain(line: string): string {
  return pieces(line)
    .map(({ text }) => text)
    .join('');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
