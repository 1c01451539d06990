"""Histograms over bins that are the same for all tensors: the leading bits of a float32 are the number of its bin.

The exponent and two bits of the mantissa select the bin, so that every octave has four bins of equal width, as in an
HDR histogram. Counting takes one pass over the values, and waits for no minimum or maximum.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from app.spec.training.statistics import BINS_PER_OCTAVE, OCTAVES
from workers.protocol.messages import HistogramCounts

MANTISSA_SHIFT = 21  # bits of a float32 behind those that select the bin
CODES = 1 << 32 - MANTISSA_SHIFT  # with the sign
MAGNITUDES = CODES // 2
NONFINITE = 255 * BINS_PER_OCTAVE  # the least code of an infinity or NaN
MAX_VALUES = 1 << 16  # of one tensor that are counted


def count_codes(values: Tensor) -> Tensor:
    """Return how many values have each code (CODES), of at most 65,536 evenly spaced ones of a tensor.

    The distance of two counted values is odd, so that they are not all from the same columns of a matrix.
    """
    flat = values.detach().reshape(-1)
    if len(flat) > MAX_VALUES:
        flat = flat[:: (len(flat) - 1) // MAX_VALUES + 1 | 1]
    codes = flat.float().contiguous().view(torch.int32) >> MANTISSA_SHIFT
    return torch.bincount(codes & CODES - 1, minlength=CODES)


def sparse_histograms(counts: Sequence[Tensor | None]) -> HistogramCounts:
    """Return the filled bins of histograms given by the counts of codes, see `app.statistics.Histograms`."""
    rows = [row for row, each in enumerate(counts) if each is not None]
    if not rows:
        return HistogramCounts([0] * len(counts), [], [])
    filled = torch.stack([each for each in counts if each is not None]).cpu().numpy()
    places, codes = np.nonzero(filled)
    finite = codes % MAGNITUDES < NONFINITE
    places, codes = places[finite], codes[finite]
    numbers = np.maximum(codes % MAGNITUDES - BINS_PER_OCTAVE + 1, 0)  # what has no exponent is 0, or as good as
    largest = np.zeros(len(rows), np.int64)
    np.maximum.at(largest, places, numbers)
    numbers[numbers < largest[places] - OCTAVES * BINS_PER_OCTAVE] = 0
    keys = places * CODES + MAGNITUDES + np.where(codes < MAGNITUDES, numbers, -numbers)
    totals = np.bincount(keys, filled[places, codes], len(rows) * CODES)
    keys = np.flatnonzero(totals)
    sizes = np.zeros(len(counts), np.int64)
    sizes[rows] = np.bincount(keys // CODES, minlength=len(rows))
    bins = keys % CODES - MAGNITUDES
    return HistogramCounts(sizes.tolist(), bins.tolist(), totals[keys].astype(np.int64).tolist())
