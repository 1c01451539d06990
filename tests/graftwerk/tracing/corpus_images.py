"""The corpus: networks for images, as people write them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import workers.torch_setup  # noqa: F401 - comes before torchvision
from tests.graftwerk.tracing.case import Case

from torchvision import models  # isort: skip
from torchvision.models.convnext import CNBlockConfig  # isort: skip

IMAGE = {"x": (3, 16, 16)}
DIGIT = {"x": (1, 28, 28)}


class LeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 5), nn.Conv2d(4, 6, 5)
        self.fc1, self.fc2 = nn.Linear(6 * 4 * 4, 12), nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(-1, self.num_flat_features(x))
        x = F.relu(self.fc1(x))
        return F.log_softmax(self.fc2(x), dim=1)

    def num_flat_features(self, x: Tensor) -> int:
        count = 1
        for size in x.size()[1:]:
            count *= size
        return count


class MnistExample(nn.Module):
    """The network of pytorch/examples."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3, 1), nn.Conv2d(4, 8, 3, 1)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(8 * 144, 16), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = self.dropout1(x)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = self.dropout2(x)
        return F.log_softmax(self.fc2(x), dim=1)


class BasicBlock(nn.Module):
    def __init__(self, width: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, out, 3, stride, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(out), nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.shortcut: nn.Module = nn.Sequential()
        if stride != 1 or width != out:
            self.shortcut = nn.Sequential(nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return self.relu(out)


class CifarResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(True))
        self.layers = nn.ModuleList([BasicBlock(4, 4), BasicBlock(4, 8, 2)])
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for layer in self.layers:
            x = layer(x)
        return self.fc(F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1))


class DenseLayers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(4 + 2 * i), nn.ReLU(inplace=True), nn.Conv2d(4 + 2 * i, 2, 3, padding=1))
            for i in range(3)
        )
        self.norm, self.fc = nn.BatchNorm2d(10), nn.Linear(10, 3)

    def forward(self, x: Tensor) -> Tensor:
        features = [self.first(x)]
        for layer in self.layers:
            features.append(layer(torch.cat(features, 1)))
        x = F.relu(self.norm(torch.cat(features, 1)), inplace=True)
        return self.fc(x.mean([2, 3]))


class Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, 2, 1)
        self.three = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Conv2d(2, 3, 3, padding=1))
        self.five = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Conv2d(2, 2, 5, padding=2))
        self.pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(3, 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in (self.one, self.three, self.five, self.pool)], dim=1)


class SqueezeExcite(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(nn.Linear(8, 2, bias=False), nn.ReLU(inplace=True), nn.Linear(2, 8), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        b, c, _, _ = x.size()
        y = self.avg_pool(x).view(b, c)
        y = self.fc(y).view(b, c, 1, 1)
        return x * y.expand_as(x)


class DoubleConv(nn.Sequential):
    def __init__(self, width: int, out: int) -> None:
        super().__init__(
            nn.Conv2d(width, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(inplace=True),
            nn.Conv2d(out, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(inplace=True),
        )  # fmt: skip


class UNet(nn.Module):
    """With padding where sizes differ, as in milesial/Pytorch-UNet."""

    def __init__(self, bilinear: bool = False) -> None:
        super().__init__()
        self.inc, self.down, self.pool = DoubleConv(3, 4), DoubleConv(4, 8), nn.MaxPool2d(2)
        self.up: nn.Module = nn.ConvTranspose2d(8, 4, 2, stride=2)
        if bilinear:
            self.up = nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(8, 4, 1))
        self.conv, self.outc = DoubleConv(8, 4), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x1 = self.inc(x)
        x2 = self.up(self.down(self.pool(x1)))
        dy, dx = x1.size()[2] - x2.size()[2], x1.size()[3] - x2.size()[3]
        x2 = F.pad(x2, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
        return self.outc(self.conv(torch.cat([x1, x2], dim=1)))


class DepthwiseSeparable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(3, 6, 3, padding=1, groups=3)
        self.pointwise, self.act = nn.Conv2d(6, 4, 1), nn.Hardswish(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.pointwise(self.depthwise(x))).amax((2, 3))


class ShuffleUnit(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.stem = nn.Conv2d(3, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x1, x2 = x.chunk(2, dim=1)
        out = torch.cat((x1, self.branch(x2)), dim=1)
        batch, channels, height, width = out.size()
        out = out.view(batch, 2, channels // 2, height, width)
        return torch.transpose(out, 1, 2).contiguous().view(batch, channels, height, width)


class LayerNorm2d(nn.Module):
    """ConvNeXt's, for channels first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        u = x.mean(1, keepdim=True)
        s = (x - u).pow(2).mean(1, keepdim=True)
        x = (x - u) / torch.sqrt(s + 1e-6)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class ConvNextBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dwconv, self.norm = nn.Conv2d(3, 3, 7, padding=3, groups=3), LayerNorm2d(3)
        self.pw1, self.act, self.pw2 = nn.Linear(3, 12), nn.GELU(), nn.Linear(12, 3)
        self.gamma = nn.Parameter(1e-1 * torch.ones(3), requires_grad=True)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x
        x = self.norm(self.dwconv(x)).permute(0, 2, 3, 1)
        x = self.pw2(self.act(self.pw1(x)))
        x = (self.gamma * x).permute(0, 3, 1, 2)
        return shortcut + x


class ConvAutoencoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(4, 8, 7))
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(8, 4, 7), nn.ReLU(),
            nn.ConvTranspose2d(4, 1, 3, stride=2, padding=1, output_padding=1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.encoder(x)
        return self.decoder(z), z.flatten(1)


class SpatialTransformer(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.grid_sample(x, F.affine_grid(x.new_ones(2, 3).expand(len(x), 2, 3), list(x.shape)))


class VggStyle(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 3
        for item in (4, "M", 8, "M"):
            if isinstance(item, str):
                layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            else:
                layers += [nn.Conv2d(width, item, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
                width = item
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Sequential(nn.Linear(8 * 2 * 2, 8), nn.ReLU(True), nn.Dropout(), nn.Linear(8, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class FrozenBackbone(nn.Module):
    """Fine-tuning: the features are frozen, the head is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
        for parameter in self.features.parameters():
            parameter.requires_grad = False
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean(dim=(-2, -1)))


def small_vit() -> nn.Module:
    return models.VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=3)


def small_convnext() -> nn.Module:
    blocks = [CNBlockConfig(8, 16, 2), CNBlockConfig(16, None, 1)]
    return models.ConvNeXt(blocks, stochastic_depth_prob=0.4, num_classes=3)


CASES = [
    Case("torchvision_vit", small_vit, {"x": (3, 32, 32)}),
    Case("torchvision_convnext", small_convnext, {"x": (3, 32, 32)}),
    Case("torchvision_efficientnet", lambda: models.efficientnet_b0(num_classes=3), {"x": (3, 32, 32)}, tolerance=1e-3),
    Case("torchvision_mobilenet", lambda: models.mobilenet_v3_small(num_classes=3), {"x": (3, 32, 32)}, tolerance=1e-3),
    Case(
        "torchvision_shufflenet", lambda: models.shufflenet_v2_x0_5(num_classes=3), {"x": (3, 32, 32)}, tolerance=1e-3
    ),
    Case("lenet", LeNet, DIGIT),
    Case("mnist_example", MnistExample, DIGIT),
    Case("cifar_resnet", CifarResNet, IMAGE),
    Case("dense_layers", DenseLayers, IMAGE),
    Case("inception", Inception, IMAGE),
    Case("squeeze_excite", SqueezeExcite, IMAGE),
    Case("unet", UNet, IMAGE, told=True),
    Case("unet_untold", UNet, IMAGE, "a size that differs between inputs", "F.pad"),
    Case("unet_bilinear", lambda: UNet(bilinear=True), IMAGE, told=True),
    Case("depthwise_separable", DepthwiseSeparable, IMAGE),
    Case("shuffle_unit", ShuffleUnit, IMAGE, told=True),
    Case("convnext_block", ConvNextBlock, IMAGE),
    Case("conv_autoencoder", ConvAutoencoder, DIGIT),
    Case("spatial_transformer", SpatialTransformer, IMAGE, refused="grid", line="F.grid_sample"),
    Case("vgg_style", VggStyle, IMAGE),
    Case("frozen_backbone", FrozenBackbone, IMAGE),
]
