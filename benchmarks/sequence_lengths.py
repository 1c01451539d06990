"""A recurrent layer over sequences of unlike length, forward and backward: ``python benchmarks/sequence_lengths.py``.

A bidirectional GRU of 128 units over 64 sequences of 50 numbers, on one thread of the CPU: as the network of a job runs
it, and as torch runs it over a packed sequence. The two take turns; lengths are even between a half of the longest and
the longest.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from machine import summarize_times, write_results
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from workers.network.kinds.sequences import run_recurrent

ROWS, WIDTH, UNITS = 64, 50, 128
MAX_LENGTHS = (32, 128, 512)
BOUND = 10.0  # times, for the longest


def run_packed(module: nn.RNNBase, x: Tensor, lengths: Tensor) -> Tensor:
    """Run as torch's users do."""
    outputs, _ = module(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
    return pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])[0]


def time_step(run: Callable[..., Tensor], module: nn.RNNBase, x: Tensor, lengths: Tensor) -> float:
    """Return the seconds of a step forward and back."""
    began = time.perf_counter()
    run(module, x, lengths).square().mean().backward()
    return time.perf_counter() - began


def main() -> None:
    """Measure and write results/sequence_lengths.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="steps of each, after one that is not counted")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    result: dict[str, Any] = {"step_ms": {}, "ratios": {}}
    for longest in MAX_LENGTHS:
        module = nn.GRU(WIDTH, UNITS, batch_first=True, bidirectional=True)
        x = torch.randn(ROWS, longest, WIDTH)
        lengths = torch.linspace(longest / 2, longest, ROWS).long()
        time_step(run_recurrent, module, x, lengths)
        rounds = [
            (time_step(run_packed, module, x, lengths), time_step(run_recurrent, module, x, lengths))
            for _ in range(options.rounds)
        ]
        theirs, ours = zip(*rounds, strict=True)
        result["step_ms"] |= {
            f"{longest}, packed": summarize_times(theirs),
            f"{longest}, network": summarize_times(ours),
        }
        result["ratios"][str(longest)] = round(median(a / b for a, b in rounds), 2)
    what = f"a GRU over sequences of up to {MAX_LENGTHS[-1]} steps, packed / network, median"
    claim = {
        "what": what,
        "measured": result["ratios"][str(MAX_LENGTHS[-1])],
        "unit": "times",
        "bound": BOUND,
        "at_most": False,
    }
    write_results("sequence_lengths", result, [claim])


if __name__ == "__main__":
    main()
