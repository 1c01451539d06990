"""An estimate of the memory that training takes, before anything is built."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import prod

from app.spec.data.environments.environment import EnvironmentData
from app.spec.job import JobSpec
from workers.network.analysis.graph import with_batch_size
from workers.network.blueprint import Parameters
from workers.network.inference.partial_network import InferredNode, PartialNetwork
from workers.training.validation.batch_sizes import experience_batches
from workers.training.validation.experience import experience_bytes

FLOAT32_BYTES = 4  # bytes of a float32

# Kinds whose output is a view of their input, without memory of its own.
VIEW_KINDS = frozenset(
    {
        "Identity",
        "Flatten",
        "Unflatten",
        "flatten",
        "reshape",
        "permute",
        "transpose",
        "squeeze",
        "unsqueeze",
        "select",
        "narrow",
        "stop_gradient",
    }
)

# Recurrent kind → values kept for backward at each time step and layer, in multiples of the hidden size.
RECURRENT_ACTIVATIONS = {"RNN": 3, "GRU": 8, "LSTM": 10}

INDEX_BYTES = 8  # bytes of the int64 index that pooling keeps for each of its results
LIVE_GRADIENTS = 2  # gradients that exist at once while backward passes a node


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes by purpose, for a batch of `batch_size` examples."""

    batch_size: int
    weights: int
    gradients: int
    optimizer: int
    average: int
    activations: int  # what forward keeps for backward
    experience: int = 0  # the buffer of a job in an environment

    @property
    def total(self) -> int:
        """The sum."""
        return self.weights + self.gradients + self.optimizer + self.average + self.activations + self.experience

    def as_dict(self) -> dict[str, int]:
        """Return the JSON form."""
        return asdict(self) | {"total": self.total}


def estimate_memory(
    job: JobSpec, draft: PartialNetwork, rows: int, trained: Sequence[int] | None = None
) -> MemoryEstimate:
    """Return the memory of a training step. `rows` limits the batch size.

    `trained` are the numbers of elements that the updates train; `None`: the only one trains all of them. Updates come
    one after the other: gradients are those of the largest one, and activations at most those of the whole network.
    """
    batch_size = min(job.training.batch_size, rows) if rows > 0 else job.training.batch_size
    experience = 0
    if isinstance(job.data, EnvironmentData):
        batch_size, experience = experience_batches(job.data, batch_size).full, experience_bytes(job.data)
    weights = FLOAT32_BYTES * draft.parameters
    buffers = FLOAT32_BYTES * draft.buffers
    inputs = [draft.values[name] for name in draft.blueprint.inputs if name in draft.values]
    activations = sum(value.element_size() * prod(with_batch_size(value.shape, batch_size)) for value in inputs)
    activations += sum(activation_bytes(trace, batch_size) for trace in draft.nodes)
    activations += LIVE_GRADIENTS * max((_output_bytes(trace, batch_size) for trace in draft.nodes), default=0)
    elements = [draft.parameters] if trained is None else trained
    gradients = FLOAT32_BYTES * max(elements, default=0)
    updates = zip(job.training.all_updates(), elements, strict=False)
    states = FLOAT32_BYTES * sum(spec.optimizer.state_count() * count for (_, spec), count in updates)
    average = weights + buffers if job.training.average is not None else 0
    return MemoryEstimate(batch_size, weights + buffers, gradients, states, average, activations, experience)


def activation_bytes(trace: InferredNode, batch_size: int) -> int:
    """Return the bytes that a node keeps until backward: its output and its internal values."""
    if trace.bodies:
        return trace.cost_of_bodies(lambda each: activation_bytes(each, batch_size))
    kind, parameters = trace.node.kind, trace.node.parameters
    if kind in VIEW_KINDS or not trace.inputs:
        return 0
    values = prod(with_batch_size(trace.output.shape, batch_size))
    if "MaxPool" in kind:
        return values * (trace.output.element_size() + INDEX_BYTES)
    if kind in RECURRENT_ACTIVATIONS:
        values += batch_size * trace.inputs[0].shape[1] * _recurrent_activations(kind, parameters)
    if kind == "MultiheadAttention":
        keys = trace.inputs[1 if len(trace.inputs) > 1 and trace.inputs[1].ndim == 3 else 0]
        values += batch_size * _attention_activations(parameters, trace.inputs[0].shape[1], keys.shape[1])
    if kind.startswith("Transformer"):
        values += batch_size * _transformer_activations(
            kind, parameters, [each.shape[1] for each in trace.inputs if each.ndim == 3][:2]
        )
    return values * trace.output.element_size()


def _output_bytes(trace: InferredNode, batch_size: int) -> int:
    return prod(with_batch_size(trace.output.shape, batch_size)) * trace.output.element_size()


def _recurrent_activations(kind: str, parameters: Parameters) -> int:
    directions = 1 + parameters["bidirectional"]
    width: int = RECURRENT_ACTIVATIONS[kind] * parameters["hidden_size"] * directions * parameters["num_layers"]
    return width


def _transformer_activations(kind: str, parameters: Parameters, lengths: Sequence[int]) -> int:
    """Return the values that the layers keep; a decoder's attend to themselves and to the second input."""
    decodes = "Decoder" in kind
    layers = parameters.get("num_layers", 1)
    encoders: int = parameters.get("num_encoder_layers", 0 if decodes else layers)
    decoders: int = parameters.get("num_decoder_layers", layers if decodes else 0)
    source, target = (lengths[1], lengths[0]) if decodes else (lengths[0], lengths[-1])
    inside = encoders * _attention_activations(parameters, source, source)
    cross = _attention_activations({**parameters, "dim_feedforward": 0}, target, source)
    return inside + decoders * (_attention_activations(parameters, target, target) + cross)


def _attention_activations(parameters: Parameters, queries: int, keys: int) -> int:
    """Queries, keys and values; scores for each pair and head, with and without dropout; an encoder's inner layers."""
    heads = parameters.get("num_heads") or parameters["nhead"]
    width = parameters.get("embed_dim") or parameters["d_model"]
    inner = 4 * parameters.get("dim_feedforward", 0) + (9 * width if "dim_feedforward" in parameters else 0)
    values: int = queries * (2 * width + inner) + 2 * keys * width + 3 * heads * queries * keys
    return values
