"""torchvision's names of published weights, and their files: known without importing torchvision."""

from __future__ import annotations

#: {torchvision's name: file at download.pytorch.org/models}; a file's name ends in its hash's first digits.
FILES = {
    "ResNet18_Weights.IMAGENET1K_V1": "resnet18-f37072fd.pth",
    "ResNet34_Weights.IMAGENET1K_V1": "resnet34-b627a593.pth",
    "ResNet50_Weights.IMAGENET1K_V1": "resnet50-0676ba61.pth",
    "ResNet50_Weights.IMAGENET1K_V2": "resnet50-11ad3fa6.pth",
    "ResNet101_Weights.IMAGENET1K_V1": "resnet101-63fe2227.pth",
    "ResNet101_Weights.IMAGENET1K_V2": "resnet101-cd907fc2.pth",
    "ResNet152_Weights.IMAGENET1K_V1": "resnet152-394f9c45.pth",
    "ResNet152_Weights.IMAGENET1K_V2": "resnet152-f82ba261.pth",
    "GoogLeNet_Weights.IMAGENET1K_V1": "googlenet-1378be20.pth",
    "R3D_18_Weights.KINETICS400_V1": "r3d_18-b3b3357e.pth",
    "MC3_18_Weights.KINETICS400_V1": "mc3_18-a90a0ba3.pth",
    "R2Plus1D_18_Weights.KINETICS400_V1": "r2plus1d_18-91a641e6.pth",
}
