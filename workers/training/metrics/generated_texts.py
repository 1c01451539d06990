"""Metrics of texts that a network generates without a teacher, beside those that it should have generated."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from app.spec.data.columns import END
from app.spec.network.generation import generation_arguments
from workers.network.runtime.build import BuiltNetwork
from workers.network.runtime.free_run import free_run
from workers.training.devices import Precision
from workers.training.objective.decode import OutputDecoder
from workers.training.objective.sequences import edit_distances


@dataclass
class GeneratedTextEvaluator:
    """Compares texts that begin as the true ones do, with [BEGIN], with the true ones, batch by batch."""

    decoder: OutputDecoder
    tokens: str  # the input whose next tokens are the targets
    names: Sequence[str]
    matches: list[Tensor] = field(default_factory=list)  # bool (N)
    distances: list[Tensor] = field(default_factory=list)  # int64 (N)
    lengths: list[Tensor] = field(default_factory=list)  # int64 (N)

    def add(
        self, network: nn.Module, precision: Precision, inputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> None:
        """Take one batch into account."""
        target = targets[self.decoder.target]
        lengths = (torch.ne(target, self.decoder.ignore_index) & torch.ne(target, END)).sum(1)
        made = self._generate(network, precision, inputs)
        distances = edit_distances(made["tokens"], made["lengths"], target, lengths)
        self.matches.append((distances == 0) & made["ended"])
        self.distances.append(distances)
        self.lengths.append(lengths)

    def _generate(self, network: nn.Module, precision: Precision, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tokens (N, T) that are generated, their numbers (N) without [END], and whether it came (N)."""
        assert isinstance(network, BuiltNetwork)  # noqa: S101 - as all networks of jobs
        node = network.blueprint.generator
        assert node is not None  # noqa: S101 - the job was checked
        assert node.free_running is not None  # noqa: S101
        settings = generation_arguments(node.free_running.settings)
        if node.kind == "block":  # which reads no more than it does in training
            settings["max_length"] = min(settings["max_length"], max(1, inputs[self.tokens].shape[1]))

        def generate(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
            made = free_run(network, values, settings)
            return {"tokens": made.tokens, "lengths": made.lengths - made.ended.long(), "ended": made.ended}

        return precision.autocast(generate)({**inputs, self.tokens: inputs[self.tokens][:, :1]})

    def values(self) -> dict[str, float]:
        """Return every metric by name; NaN where there is nothing to compare. Waits for the device."""
        lengths = int(torch.cat(self.lengths).sum()) if self.lengths else 0
        rates = {
            "exact_match": float(torch.cat(self.matches).double().mean()) if self.matches else math.nan,
            "token_error_rate": int(torch.cat(self.distances).sum()) / lengths if lengths else math.nan,
        }
        return {name: rates[name] for name in self.names}
