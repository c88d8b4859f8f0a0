// The colours of the page as the canvas needs them; they are defined once, in the style sheet, for light and dark.

const names = [
  "--surface",
  "--grid",
  "--grid-strong",
  "--text",
  "--muted",
  "--user",
  "--assistant",
  "--listen",
  "--delegate",
  "--done",
  "--approval",
  "--budget",
  "--late",
  "--select",
  "--cursor",
] as const;

type ColourName = (typeof names)[number] extends `--${infer Name}` ? Name : never;

/** Colours and fonts for drawing. */
export interface Theme {
  readonly colour: Readonly<Record<ColourName, string>>;
  /** 256 colours from no load to full load, as `[r, g, b]` bytes. */
  readonly heat: Uint8ClampedArray;
  readonly textFont: string;
  readonly smallFont: string;
}

/** Reads the theme in force from the document. */
export function readTheme(root: HTMLElement): Theme {
  const style = getComputedStyle(root);
  const colour: Record<string, string> = {};
  for (const name of names) colour[name.slice(2)] = style.getPropertyValue(name).trim();
  const family = style.fontFamily;
  return {
    colour: colour as Theme["colour"],
    heat: ramp(style.getPropertyValue("--heat").split(",").map(parseHex)),
    textFont: `13px ${family}`,
    smallFont: `11px ${family}`,
  };
}

type Rgb = readonly [number, number, number];

function parseHex(text: string): Rgb {
  const value = Number.parseInt(text.trim().slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

function ramp(stops: readonly Rgb[]): Uint8ClampedArray {
  const colours = new Uint8ClampedArray(256 * 3);
  for (let i = 0; i < 256; i++) {
    const place = (i / 255) * (stops.length - 1);
    const index = Math.min(stops.length - 2, Math.floor(place));
    for (let c = 0; c < 3; c++) {
      colours[3 * i + c] = stops[index][c] + (place - index) * (stops[index + 1][c] - stops[index][c]);
    }
  }
  return colours;
}
