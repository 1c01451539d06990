import { formatNumber } from "../../../../ui/format";
import { linePath, Plot } from "../Plot";
import { histogramOf } from "./episodes";

/** How the returns are distributed; a line marks their mean. */
export function ReturnHistogram({ returns, mean }: { returns: readonly number[]; mean: number }) {
  const { edges, counts } = histogramOf(returns);
  if (counts.length === 0) return null;
  const most = Math.max(...counts);
  const described = counts.flatMap((count, index) => (count ? [`${formatNumber(edges[index]!, 3)} to ${formatNumber(edges[index + 1]!, 3)}: ${count}`] : [])).join("; ");
  return (
    <Plot title="How the returns are distributed" description={described} x={{ label: "return of an episode", from: edges[0]!, to: edges.at(-1)! }} y={{ label: "episodes", from: 0, to: most * 1.05 }}>
      {(scale) => (
        <>
          {counts.map((count, index) => {
            const [left, right] = [scale.x(edges[index]!), scale.x(edges[index + 1]!)];
            return (
              <rect key={index} class="bar series-1" x={left + 0.5} width={Math.max(0.5, right - left - 1)} y={scale.y(count)} height={scale.y(0) - scale.y(count)}>
                <title>{`${formatNumber(edges[index]!)} to ${formatNumber(edges[index + 1]!)}: ${formatNumber(count)}`}</title>
              </rect>
            );
          })}
          <path class="diagonal" d={linePath([[mean, 0], [mean, most * 1.05]], scale)} />
        </>
      )}
    </Plot>
  );
}
