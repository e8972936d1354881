/** Cumulative shares of trials by time without a leader, as in the Raft paper: the time is logarithmic. */
const WIDTH = 620;
const HEIGHT = 300;
const LEFT = 64;
const TOP = 50;
const GAP = 84;
const FROM_MS = 10;
const TO_MS = 10_000;
const COLOURS = ["#222d38", "#9a7412", "#b4502a", "#a83263", "#2f7d4f", "#2563a8"];

const STYLE = `
  text { font-family: "Helvetica Neue", Helvetica, Arial, sans-serif; font-size: 12px; fill: #26323c }
  .title { font-size: 14px; font-weight: bold }
  .axis { fill: #7d8890; font-size: 11px }
  .grid { stroke: #e3e7ea }
`;

/** Times of one set of trials. */
export interface Curve {
  readonly label: string;
  /** Ascending. */
  readonly downMs: readonly number[];
}

export interface Panel {
  readonly title: string;
  readonly curves: readonly Curve[];
}

/** Two panels a row. @returns SVG */
export function drawCurves(title: string, panels: readonly Panel[]): string {
  const width = 2 * (LEFT + WIDTH) + 40;
  const height = Math.ceil(panels.length / 2) * (HEIGHT + GAP) + 20;
  const drawn = panels.map((panel, index) => {
    const [x, y] = [LEFT + (index % 2) * (WIDTH + LEFT), TOP + Math.floor(index / 2) * (HEIGHT + GAP)];
    return `<g transform="translate(${x},${y})">${drawPanel(panel)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${title}</title>`,
    `<style>${STYLE}</style><rect width="100%" height="100%" fill="#fff"/>`,
    ...drawn,
    "</svg>",
    "",
  ].join("\n");
}

function drawPanel({ title, curves }: Panel): string {
  const parts = [`<text class="title" x="0" y="-16">${title}</text>`];
  for (const share of [0, 20, 40, 60, 80, 100]) {
    const y = HEIGHT * (1 - share / 100);
    parts.push(
      `<line class="grid" x1="0" y1="${y}" x2="${WIDTH}" y2="${y}"/><text class="axis" x="-8" y="${y + 4}" text-anchor="end">${share} %</text>`,
    );
  }
  for (const ms of [10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000]) {
    parts.push(
      `<line class="grid" x1="${x(ms)}" y1="0" x2="${x(ms)}" y2="${HEIGHT}"/><text class="axis" x="${x(ms)}" y="${HEIGHT + 16}" text-anchor="middle">${ms}</text>`,
    );
  }
  parts.push(
    `<text class="axis" x="${WIDTH / 2}" y="${HEIGHT + 34}" text-anchor="middle">time without a leader, ms</text>`,
  );
  curves.forEach((each, index) => parts.push(drawCurve(each, index)));
  return parts.join("\n");
}

function drawCurve({ label, downMs }: Curve, index: number): string {
  const colour = COLOURS[index % COLOURS.length];
  const points = downMs.map((ms, at) => `${x(ms).toFixed(1)},${(HEIGHT * (1 - (at + 1) / downMs.length)).toFixed(1)}`);
  // Where no curve is: nobody elects faster than some round trips.
  const y = 16 + 18 * index;
  return [
    `<polyline points="${x(downMs[0] as number).toFixed(1)},${HEIGHT} ${points.join(" ")}" fill="none" stroke="${colour}" stroke-width="1.8"/>`,
    `<line x1="8" y1="${y}" x2="32" y2="${y}" stroke="${colour}" stroke-width="2.5"/>`,
    `<text x="38" y="${y + 4}">${label}</text>`,
  ].join("");
}

function x(ms: number): number {
  const share = Math.log(Math.min(TO_MS, Math.max(FROM_MS, ms)) / FROM_MS) / Math.log(TO_MS / FROM_MS);
  return WIDTH * share;
}
