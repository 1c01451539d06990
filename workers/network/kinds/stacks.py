"""Stacks of Transformer layers, and a whole Transformer, of plain settings.

`model.py` carries the source of those that it uses, so they may import only torch and the standard library.
"""

from torch import nn


def transformer_encoder(
    d_model: int,
    nhead: int,
    num_layers: int,
    dim_feedforward: int = 2048,
    dropout: float = 0.1,
    activation: str = "relu",
    layer_norm_eps: float = 1e-5,
    norm_first: bool = False,
    bias: bool = True,
    batch_first: bool = True,
    norm: bool = False,
) -> nn.TransformerEncoder:
    """Return a stack of encoder layers, whose first weights are equal, as torch copies one; `norm` adds a last one."""
    layer = nn.TransformerEncoderLayer(
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias
    )
    last = nn.LayerNorm(d_model, layer_norm_eps, bias=bias) if norm else None
    return nn.TransformerEncoder(layer, num_layers, last, enable_nested_tensor=False)  # which would shorten outputs


def transformer_decoder(
    d_model: int,
    nhead: int,
    num_layers: int,
    dim_feedforward: int = 2048,
    dropout: float = 0.1,
    activation: str = "relu",
    layer_norm_eps: float = 1e-5,
    norm_first: bool = False,
    bias: bool = True,
    batch_first: bool = True,
    norm: bool = False,
) -> nn.TransformerDecoder:
    """Return a stack of decoder layers, whose first weights are equal, as torch copies one; `norm` adds a last one."""
    layer = nn.TransformerDecoderLayer(
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias
    )
    return nn.TransformerDecoder(layer, num_layers, nn.LayerNorm(d_model, layer_norm_eps, bias=bias) if norm else None)


def transformer(
    d_model: int,
    nhead: int = 8,
    num_encoder_layers: int = 6,
    num_decoder_layers: int = 6,
    dim_feedforward: int = 2048,
    dropout: float = 0.1,
    activation: str = "relu",
    layer_norm_eps: float = 1e-5,
    norm_first: bool = False,
    bias: bool = True,
    batch_first: bool = True,
) -> nn.Transformer:
    """Return torch's Transformer, none of whose outputs is shortened."""
    whole = nn.Transformer(
        d_model,
        nhead,
        num_encoder_layers,
        num_decoder_layers,
        dim_feedforward,
        dropout,
        activation,
        layer_norm_eps=layer_norm_eps,
        batch_first=batch_first,
        norm_first=norm_first,
        bias=bias,
    )
    whole.encoder.use_nested_tensor = False
    return whole
