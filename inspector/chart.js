// A small line chart: uPlot in a figure, with what it shows as words too.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";

import { html } from "./html.js";

const HEIGHT = 132;
const DASHES = [undefined, [5, 4]]; // told apart without colours too
const FONT = "11px system-ui, sans-serif";
const dark = matchMedia("(prefers-color-scheme: dark)");

/** `times` in seconds; `lines`: label and values; `format` writes a value. */
export function Chart({ title, times, lines, format }) {
  const frame = useRef();
  const plot = useRef();
  const [hovered, setHovered] = useState(null);
  const data = [times, ...lines.map((line) => line.values)];
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const make = () => {
      plot.current?.destroy();
      const options = optionsOf(lines, format, frame.current.clientWidth, setHovered);
      plot.current = new uPlot(options, latest.current, frame.current);
    };
    make();
    dark.addEventListener("change", make);
    const resized = new ResizeObserver(([entry]) => {
      plot.current.setSize({ width: Math.floor(entry.contentRect.width), height: HEIGHT });
    });
    resized.observe(frame.current);
    return () => {
      resized.disconnect();
      dark.removeEventListener("change", make);
      plot.current.destroy();
      plot.current = undefined;
    };
  }, []);
  useEffect(() => plot.current?.setData(latest.current), [times.length, times.at(-1)]);
  const at = hovered !== null && hovered < times.length ? hovered : times.length - 1;
  const words = lines.map(({ label, values }) => `${label} ${format(values[at] ?? 0)}`).join(", ");
  return html`<figure class="card chart">
    <figcaption>
      <h2>${title}</h2>
      <ul>${lines.map(({ label, values }, index) => html`<li class="line-${index}">
        ${label} <strong>${format(values[at] ?? 0)}</strong>
      </li>`)}</ul>
    </figcaption>
    <div class="plot" ref=${frame} role="img" aria-label="${title}: ${words}" />
  </figure>`;
}

function optionsOf(lines, format, width, setHovered) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--quiet"), font: FONT, ticks: { show: false } };
  const grid = { stroke: colour("--line"), width: 1 };
  return {
    width,
    height: HEIGHT,
    padding: [8, 26, 0, 0], // the last label of the time axis is wider than what is beside it
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    hooks: { setCursor: [(plot) => setHovered(plot.cursor.idx ?? null)] },
    scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.15 : 1] } },
    axes: [
      { ...axis, grid: { show: false }, size: 24, space: 64, values: (_, ticks) => ticks.map(timeOf) },
      { ...axis, grid, size: 58, space: 34, values: (_, ticks) => ticks.map(format) },
    ],
    series: [{}, ...lines.map(({ label }, index) => ({
      label,
      stroke: colour(`--chart-${index}`),
      width: 2,
      dash: DASHES[index],
      fill: index === 0 ? colour("--chart-fill") : undefined,
      points: { show: false },
    }))],
  };
}

const timeOf = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en-GB");
