const HEX = /^[0-9a-f]{6}$/;

export function colourOf(path: string): string | null {
  const hex = path.match(/^\/c\/([^/]+)$/)?.[1].toLowerCase();
  return hex && HEX.test(hex) ? hex : null;
}

/** The colour mixed with white and black, light to dark; the colour itself is in the middle. */
export function palette(hex: string, steps = 3): string[] {
  const rgb = [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  const mix = (target: number, share: number) =>
    rgb.map((part) => Math.round(part + (target - part) * share).toString(16).padStart(2, '0')).join('');
  const shares = Array.from({ length: steps }, (_, index) => (index + 1) / (steps + 1));
  return [...[...shares].reverse().map((share) => mix(255, share)), hex, ...shares.map((share) => mix(0, share))];
}

/** Black or white, whichever can be read on the colour. */
export function ink(hex: string): string {
  const [r, g, b] = [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 150 ? '#000' : '#fff';
}
