// Answers: how do the figures look? Horizontal bars as an SVG, which reads on a light and on a dark page.
import type { Bar } from '../goals/goal.ts';

const WIDTH = 720;
const ROW = 26;
const LABELS = 170;
const FIGURES = 70;
const TOP = 34;

export function chart(title: string, bars: readonly Bar[]): string {
  const height = TOP + bars.length * ROW + 6;
  const longest = Math.max(...bars.map(({ ms }) => ms));
  const rows = bars.map(({ name, ms, kind }, index) => {
    const y = TOP + index * ROW;
    const length = Math.max(1, (ms / longest) * (WIDTH - LABELS - FIGURES));
    return [
      `<text x="${LABELS - 8}" y="${y + 16}" text-anchor="end"${kind === 'ours' ? ' class="strong"' : ''}>${name}</text>`,
      `<rect x="${LABELS}" y="${y + 3}" width="${length.toFixed(1)}" height="${ROW - 8}" rx="2" class="${kind}"/>`,
      `<text x="${(LABELS + length + 6).toFixed(1)}" y="${y + 16}">${ms.toFixed(0)} ms</text>`,
    ].join('\n  ');
  });
  const spoken = bars.map(({ name, ms }) => `${name} ${ms.toFixed(0)} ms`).join(', ');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${title}: ${spoken}">
  <style>
    text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #57606a }
    .strong { font-weight: 600; fill: #1f2328 }
    .ours { fill: #1a7f37 } .least { fill: #afb8c1 } .other { fill: #6e7781 }
    @media (prefers-color-scheme: dark) {
      text { fill: #9198a1 }
      .strong { fill: #f0f6fc }
      .ours { fill: #3fb950 } .least { fill: #3d444d } .other { fill: #656c76 }
    }
  </style>
  <text x="0" y="18" class="strong">${title}</text>
  ${rows.join('\n  ')}
</svg>
`;
}
