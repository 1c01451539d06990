"""The corpus: attention and Transformers, as people write them."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.graftwerk.tracing.case import Case

WORDS = {"x": ((7,), "int64")}
STEPS = {"x": (7, 8)}


class NanoLayerNorm(nn.Module):
    def __init__(self, ndim: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(ndim))
        self.bias = nn.Parameter(torch.zeros(ndim)) if bias else None

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.weight.shape, self.weight, self.bias, 1e-5)


class CausalSelfAttention(nn.Module):
    """karpathy/nanoGPT."""

    def __init__(self, flash: bool, dropout: float) -> None:
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(8, 24), nn.Linear(8, 8)
        self.attn_dropout, self.resid_dropout = nn.Dropout(dropout), nn.Dropout(dropout)
        self.n_head, self.n_embd, self.dropout, self.flash = 2, 8, dropout, flash
        if not flash:
            self.register_buffer("bias", torch.tril(torch.ones(8, 8)).view(1, 1, 8, 8))

    def forward(self, x: Tensor) -> Tensor:
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(self.n_embd, dim=2)
        k = k.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        q = q.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        v = v.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        if self.flash:
            rate = self.dropout if self.training else 0
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=None, dropout_p=rate, is_causal=True)
        else:
            att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
            att = att.masked_fill(self.bias[:, :, :T, :T] == 0, float("-inf"))
            att = F.softmax(att, dim=-1)
            att = self.attn_dropout(att)
            y = att @ v
        y = y.transpose(1, 2).contiguous().view(B, T, C)
        return self.resid_dropout(self.c_proj(y))


class NanoBlock(nn.Module):
    def __init__(self, flash: bool, dropout: float) -> None:
        super().__init__()
        self.ln_1, self.attn = NanoLayerNorm(8, bias=False), CausalSelfAttention(flash, dropout)
        self.ln_2 = NanoLayerNorm(8, bias=True)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(8, 16), "gelu": nn.GELU(), "c_proj": nn.Linear(16, 8)})

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp["c_proj"](self.mlp["gelu"](self.mlp["c_fc"](self.ln_2(x))))


class NanoGPT(nn.Module):
    """With tied weights, positions by arange, and an assertion of the length."""

    def __init__(self, flash: bool = True, dropout: float = 0.0, targets: bool = False) -> None:
        super().__init__()
        self.block_size, self.targets = 8, targets
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(10, 8),
                "wpe": nn.Embedding(8, 8),
                "drop": nn.Dropout(dropout),
                "h": nn.ModuleList([NanoBlock(flash, dropout) for _ in range(2)]),
                "ln_f": NanoLayerNorm(8, bias=True),
            }
        )
        self.lm_head = nn.Linear(8, 10, bias=False)
        self.transformer.wte.weight = self.lm_head.weight

    def forward(self, idx: Tensor, targets: Tensor | None = None) -> Tensor:
        device = idx.device
        _, t = idx.size()
        assert t <= self.block_size, f"Cannot forward sequence of length {t}, block size is only {self.block_size}"
        pos = torch.arange(0, t, dtype=torch.long, device=device)
        tok_emb = self.transformer.wte(idx)
        pos_emb = self.transformer.wpe(pos)
        x = self.transformer.drop(tok_emb + pos_emb)
        for block in self.transformer.h:
            x = block(x)
        return self.lm_head(self.transformer.ln_f(x))


class Head(nn.Module):
    """One head of the lecture's GPT, with a buffer of the triangle."""

    def __init__(self) -> None:
        super().__init__()
        self.key, self.query, self.value = (nn.Linear(8, 4, bias=False) for _ in range(3))
        self.register_buffer("tril", torch.tril(torch.ones(16, 16)))
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        _, T, C = x.shape
        k, q = self.key(x), self.query(x)
        wei = q @ k.transpose(-2, -1) * C**-0.5
        wei = wei.masked_fill(self.tril[:T, :T] == 0, float("-inf"))
        wei = self.dropout(F.softmax(wei, dim=-1))
        return wei @ self.value(x)


class PositionalEncoding(nn.Module):
    """The tutorial's: (L, N, E) and a buffer of sines."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.batch_first = batch_first
        position = torch.arange(50).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, 8, 2) * (-math.log(10000.0) / 8))
        pe = torch.zeros(50, 1, 8)
        pe[:, 0, 0::2] = torch.sin(position * div_term)
        pe[:, 0, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe.transpose(0, 1).contiguous() if batch_first else pe)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        x = x + (self.pe[:, : x.size(1)] if self.batch_first else self.pe[: x.size(0)])
        return self.dropout(x)


class TutorialTransformer(nn.Module):
    """The language model of the tutorial, with a mask made in forward."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, 0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.embedding, self.pos, self.out = nn.Embedding(10, 8), PositionalEncoding(True), nn.Linear(8, 10)

    def forward(self, src: Tensor) -> Tensor:
        x = self.pos(self.embedding(src) * math.sqrt(8))
        mask = nn.Transformer.generate_square_subsequent_mask(src.size(1))
        return self.out(self.encoder(x, mask))


class PaddedTransformer(nn.Module):
    """A classifier whose padding is hidden."""

    def __init__(self, first: bool = True) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 8, padding_idx=0)
        layer = nn.TransformerEncoderLayer(8, 2, 16, 0.1, "gelu", batch_first=first, norm_first=first)
        self.encoder, self.out = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False), nn.Linear(8, 2)
        self.first = first

    def forward(self, tokens: Tensor) -> Tensor:
        padding = tokens == 3
        x = self.embedding(tokens)
        x = self.encoder(x if self.first else x.transpose(0, 1), src_key_padding_mask=padding)
        x = x if self.first else x.transpose(0, 1)
        x = x.masked_fill(padding.unsqueeze(-1), 0.0)
        return self.out(x.sum(1) / (~padding).sum(1, keepdim=True).clamp(min=1))


class AttentionWeights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mask = torch.triu(torch.ones(x.size(1), x.size(1)), diagonal=1).bool()
        return self.attention(x, x, x, attn_mask=mask)


class CrossAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.to_q, self.to_kv = nn.Linear(8, 8, bias=False), nn.Linear(4, 16, bias=False)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        b, n, _ = x.shape
        q = self.to_q(x).reshape(b, n, 2, -1).permute(0, 2, 1, 3)
        k, v = (each.reshape(b, -1, 2, 4).permute(0, 2, 1, 3) for each in self.to_kv(context).chunk(2, dim=-1))
        scores = torch.einsum("bhid,bhjd->bhij", q, k) * 4**-0.5
        return torch.einsum("bhij,bhjd->bhid", scores.softmax(dim=-1), v).transpose(1, 2).reshape(b, n, 8)


class ViT(nn.Module):
    """From scratch, with patches by a convolution and a class token."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 8, kernel_size=8, stride=8)
        self.cls_token = nn.Parameter(torch.randn(1, 1, 8))
        self.pos_embed = nn.Parameter(torch.randn(1, 17, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        B = x.shape[0]
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls_token.expand(B, -1, -1), x), dim=1)
        x = self.norm(self.blocks(x + self.pos_embed))
        return self.head(x[:, 0])


class UnfoldedPatches(nn.Module):
    """Patches by unfold, and repeat for the class token."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(3 * 8 * 8, 8)
        self.cls = nn.Parameter(torch.zeros(1, 1, 8))

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        if h % 8 != 0 or w % 8 != 0:
            raise ValueError("the sizes must be divisible by 8")
        x = x.reshape(b, c, h // 8, 8, w // 8, 8).permute(0, 2, 4, 3, 5, 1)
        x = self.project(x.reshape(b, (h // 8) * (w // 8), 8 * 8 * c))
        return torch.cat([self.cls.repeat(b, 1, 1), x], dim=1).mean(dim=1)


class RotaryAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qk = nn.Linear(8, 16)
        self.register_buffer("inv_freq", 1.0 / (10000 ** (torch.arange(0, 8, 2).float() / 8)))

    def rotate_half(self, x: Tensor) -> Tensor:
        x1, x2 = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
        return torch.cat((-x2, x1), dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        q, k = self.qk(x).chunk(2, dim=-1)
        t = torch.arange(x.shape[1], device=x.device).type_as(self.inv_freq)
        freqs = torch.outer(t, self.inv_freq)
        emb = torch.cat((freqs, freqs), dim=-1)
        cos, sin = emb.cos()[None], emb.sin()[None]
        q, k = q * cos + self.rotate_half(q) * sin, k * cos + self.rotate_half(k) * sin
        return (q @ k.transpose(1, 2)).softmax(-1) @ x


class MixedDecoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.decoder = nn.TransformerDecoderLayer(8, 2, 16, batch_first=True)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        return self.decoder(x, memory)


class Translator(nn.Module):
    """nn.Transformer, with one embedding for both languages."""

    def __init__(self) -> None:
        super().__init__()
        self.emb, self.out = nn.Embedding(10, 8), nn.Linear(8, 10)
        self.transformer = nn.Transformer(8, 2, 1, 1, 16, dropout=0.1, batch_first=True)

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        mask = self.transformer.generate_square_subsequent_mask(tgt.size(1))
        return self.out(self.transformer(self.emb(src), self.emb(tgt), tgt_mask=mask, tgt_is_causal=True))


CASES = [
    Case("translator", Translator, {"src": ((7,), "int64"), "tgt": ((5,), "int64")}),
    Case("nano_gpt", NanoGPT, {"idx": ((7,), "int64")}),
    Case("nano_gpt_dropout", lambda: NanoGPT(dropout=0.2), {"idx": ((7,), "int64")}),
    Case("nano_gpt_mask", lambda: NanoGPT(flash=False, dropout=0.1), {"idx": ((7,), "int64")}),
    Case("nano_gpt_told", NanoGPT, {"idx": ((8,), "int64")}, told=True),
    Case("gpt_head", Head, STEPS),
    Case("positional_encoding", lambda: PositionalEncoding(True), STEPS),
    Case("positional_encoding_told", lambda: PositionalEncoding(True), STEPS, told=True),
    Case("tutorial_transformer", TutorialTransformer, WORDS),
    Case("padded_transformer", PaddedTransformer, WORDS),
    Case("padded_transformer_time_first", lambda: PaddedTransformer(False), WORDS),
    Case("attention_weights", AttentionWeights, STEPS),
    Case("cross_attention", CrossAttention, {"x": (7, 8), "context": (5, 4)}),
    Case("vit", ViT, {"x": (3, 32, 32)}),
    Case("unfolded_patches", UnfoldedPatches, {"x": (3, 16, 16)}, told=True),
    Case("rotary_attention", RotaryAttention, STEPS),
    Case("decoder_layer", MixedDecoder, {"x": (7, 8), "memory": (5, 8)}),
]
