// The frame of each SVG picture: a card, light or dark as the reader has it. Pure. Used by terminal-svg.ts and
// chart-svg.ts.

export interface Drawing {
  /** What is to be seen, for who does not see it. */
  readonly label: string;
  readonly width: number;
  readonly height: number;
  /** Rules of CSS for both, and those of one of them. */
  readonly style: string;
  readonly light: string;
  readonly dark: string;
  readonly body: readonly string[];
}

export function svg({ label, width, height, style, light, dark, body }: Drawing): string {
  const size = `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" xml:space="preserve">
<title>${escapeXml(label)}</title>
<style>
${style}
.bold { font-weight: bold }
text, rect { fill: #1f2328 } .card { fill: #f6f8fa; stroke: #d1d9e0 } ${light}
@media (prefers-color-scheme: dark) {
text, rect { fill: #e6edf3 } .card { fill: #0d1117; stroke: #3d444d } ${dark}
}
</style>
<rect class="card" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
${body.join('\n')}
</svg>
`;
}

export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
