import { formatNumber } from "../../../../ui/format";
import { EpisodePlots } from "./EpisodePlots";
import { quantile, type Episodes } from "./episodes";
import { ReturnHistogram } from "./ReturnHistogram";
import "./episodes.css";

/** How well a network acts: the returns of the episodes of an evaluation, and one of them step by step. */
export function EpisodesReport({ episodes }: { episodes: Episodes }) {
  const { count, lengths, terminated, means, recorded } = episodes;
  return (
    <>
      <article class="panel evaluation-head">
        <h2>Returns <span class="muted evaluation-what">of {formatNumber(count)} episodes, without exploration</span></h2>
        <div class="evaluation-plots">
          <dl class="evaluation-figures">
            <dt>Mean return</dt><dd><strong>{formatNumber(episodes.return.mean)}</strong> ± {formatNumber(episodes.return.std)}</dd>
            <dt>Median</dt><dd>{formatNumber(quantile(episodes.returns, 0.5))}</dd>
            <dt>Worst, best</dt><dd>{formatNumber(episodes.return.min)}, {formatNumber(episodes.return.max)}</dd>
            <dt>Mean length</dt><dd>{formatNumber(lengths.reduce((sum, length) => sum + length, 0) / count)} steps</dd>
            <dt>Ended by themselves</dt><dd>{formatNumber(terminated)} of {formatNumber(count)}{terminated < count && "; the others by the time limit"}</dd>
            {Object.entries(means).map(([name, mean]) => <><dt>Mean {name}</dt><dd>{mean === null ? "no number" : formatNumber(mean)}</dd></>)}
          </dl>
          <ReturnHistogram returns={episodes.returns} mean={episodes.return.mean} />
        </div>
      </article>
      <article class="panel evaluation-head">
        <h2>An episode <span class="muted evaluation-what">the first of them, which begins the same way in every evaluation</span></h2>
        <p>
          {formatNumber(recorded.length)} steps with a return of <strong>{formatNumber(recorded.return)}</strong>; {recorded.terminated ? "it ended by itself." : "the time limit ended it."}
        </p>
        {recorded.notes.map((note) => <p class="notice" key={note}>{note}</p>)}
        <EpisodePlots episode={recorded} />
      </article>
    </>
  );
}
