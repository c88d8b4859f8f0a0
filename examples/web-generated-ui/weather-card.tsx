// The weather of a day: the temperature now, and its course as a small chart.

import type { Weather } from "./tools.js";

const width = 300;
const height = 80;
/** Room for the figures above and the hours below the line. */
const margin = 16;

/** @param props.result - what the tool `weather` gives */
export function WeatherCard({ result: { city, celsius, sky, hours } }: { readonly result: Weather }) {
  const [from, until] = [hours[0].hour, hours[hours.length - 1].hour];
  const [low, high] = [Math.min(...hours.map((one) => one.celsius)), Math.max(...hours.map((one) => one.celsius))];
  const points = hours.map((one) => ({
    ...one,
    x: margin + ((one.hour - from) / Math.max(1, until - from)) * (width - 2 * margin),
    y: height - margin - ((one.celsius - low) / Math.max(1, high - low)) * (height - 2 * margin),
  }));
  return (
    <figure>
      <figcaption>
        {city}: <b className="degrees">{celsius} °C</b> {sky}
      </figcaption>
      <svg className="chart" viewBox={`0 0 ${width} ${height}`} role="img">
        <title>{`From ${low} to ${high} °C in the course of the day`}</title>
        <polyline points={points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ")} />
        {points.map(({ hour, celsius, x, y }) => (
          <g key={hour}>
            <text x={x} y={y - 5}>
              {celsius}°
            </text>
            <text x={x} y={height - 3}>
              {hour}
            </text>
          </g>
        ))}
      </svg>
    </figure>
  );
}
