import { useState } from "preact/hooks";
import { formatNumber } from "../../../../ui/format";
import { niceTicks, rangeOf } from "../ticks";
import { tracksOf, type RecordedEpisode, type Track } from "./episodes";

const SIZE = { width: 360, height: 130, left: 54, right: 10, top: 8, bottom: 22 };

/** Rewards, actions and observations of an episode over its steps, with a line at a chosen step. */
export function EpisodePlots({ episode }: { episode: RecordedEpisode }) {
  const [step, setStep] = useState(0);
  const tracks = tracksOf(episode);
  const last = episode.observations.length - 1;
  return (
    <>
      <label class="episode-step">
        Step <output>{formatNumber(step)}</output>
        <input type="range" min={0} max={last} value={step} onInput={(event) => setStep(Number(event.currentTarget.value))} />
      </label>
      <div class="episode-tracks">
        {tracks.map((track) => <TrackPlot key={track.name} track={track} last={last} step={step} onStep={setStep} />)}
      </div>
    </>
  );
}

interface Props {
  track: Track;
  last: number; // step
  step: number;
  onStep: (step: number) => void;
}

function TrackPlot({ track: { name, values, choices }, last, step, onStep }: Props) {
  const numbers = values.filter((value) => value !== null);
  const range = choices ? { from: -0.5, to: choices.length - 0.5 } : rangeOf(numbers);
  const x = (at: number) => SIZE.left + (at / (last || 1)) * (SIZE.width - SIZE.left - SIZE.right);
  const y = (value: number) => SIZE.height - SIZE.bottom - ((value - range.from) / (range.to - range.from)) * (SIZE.height - SIZE.top - SIZE.bottom);
  const [bottom, right] = [SIZE.height - SIZE.bottom, SIZE.width - SIZE.right];
  const choose = (event: MouseEvent & { currentTarget: SVGSVGElement }) => {
    const box = event.currentTarget.getBoundingClientRect();
    const at = (((event.clientX - box.left) / box.width) * SIZE.width - SIZE.left) / (SIZE.width - SIZE.left - SIZE.right);
    onStep(Math.round(Math.min(1, Math.max(0, at)) * last));
  };
  const ticks = choices && choices.length <= 6 ? choices.map((_, index) => index) : niceTicks(range.from, range.to, 4);
  return (
    <figure class="evaluation-plot episode-track">
      <figcaption>{name} <span class="episode-value">{valueText(values[step], choices)}</span></figcaption>
      <svg viewBox={`0 0 ${SIZE.width} ${SIZE.height}`} role="img" aria-label={name} aria-description={describe(numbers, choices)} onPointerDown={choose} onPointerMove={(event) => event.buttons === 1 && choose(event)}>
        {ticks.map((tick) => (
          <g key={tick} class="tick">
            <line x1={SIZE.left} x2={right} y1={y(tick)} y2={y(tick)} />
            <text x={SIZE.left - 6} y={y(tick) + 4} text-anchor="end">{formatNumber(tick, 3)}</text>
          </g>
        ))}
        {niceTicks(0, last, 5).map((tick) => <text key={tick} x={x(tick)} y={SIZE.height - 6} text-anchor="middle">{formatNumber(tick)}</text>)}
        {choices ? <path class="line choices series-1" d={choicePath(values, x, y)} /> : <path class="line series-1" d={trackPath(values, x, y)} />}
        <line class="cursor" x1={x(step)} x2={x(step)} y1={SIZE.top} y2={bottom} />
      </svg>
    </figure>
  );
}

function valueText(value: number | null | undefined, choices: string[] | null): string {
  if (value === undefined) return "";
  if (value === null) return "no number";
  return choices ? `${value}: ${choices[value] ?? ""}` : formatNumber(value);
}

function describe(numbers: readonly number[], choices: string[] | null): string {
  if (choices) return choices.map((choice, index) => `${choice}: ${numbers.filter((value) => value === index).length} steps`).join("; ");
  return numbers.length ? `from ${formatNumber(numbers[0]!)} to ${formatNumber(numbers.at(-1)!)}, between ${formatNumber(Math.min(...numbers))} and ${formatNumber(Math.max(...numbers))}` : "no numbers";
}

/** A dash for every step at its choice: they may change in every step. */
const choicePath = (values: readonly (number | null)[], x: (step: number) => number, y: (value: number) => number): string =>
  values.map((value, step) => (value === null ? "" : `M${x(step).toFixed(2)} ${y(value).toFixed(1)}H${x(step + 1).toFixed(2)}`)).join("");

/** A line through the values, interrupted where there is none. */
function trackPath(values: readonly (number | null)[], x: (step: number) => number, y: (value: number) => number): string {
  let path = "";
  let pen = false;
  values.forEach((value, step) => {
    if (value !== null) path += `${pen ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = value !== null;
  });
  return path;
}
