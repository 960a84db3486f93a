"""torchvision's names of published weights, and their files: known without importing torchvision."""

from __future__ import annotations

#: {torchvision's name: file at download.pytorch.org/models}; a file's name ends in its hash's first digits.
#: Not among them is VGG16_Weights.IMAGENET1K_FEATURES, of which only the convolutions are trained.
FILES = {
    "AlexNet_Weights.IMAGENET1K_V1": "alexnet-owt-7be5be79.pth",
    "VGG11_Weights.IMAGENET1K_V1": "vgg11-8a719046.pth",
    "VGG11_BN_Weights.IMAGENET1K_V1": "vgg11_bn-6002323d.pth",
    "VGG13_Weights.IMAGENET1K_V1": "vgg13-19584684.pth",
    "VGG13_BN_Weights.IMAGENET1K_V1": "vgg13_bn-abd245e5.pth",
    "VGG16_Weights.IMAGENET1K_V1": "vgg16-397923af.pth",
    "VGG16_BN_Weights.IMAGENET1K_V1": "vgg16_bn-6c64b313.pth",
    "VGG19_Weights.IMAGENET1K_V1": "vgg19-dcbb9e9d.pth",
    "VGG19_BN_Weights.IMAGENET1K_V1": "vgg19_bn-c79401a0.pth",
    "SqueezeNet1_0_Weights.IMAGENET1K_V1": "squeezenet1_0-b66bff10.pth",
    "SqueezeNet1_1_Weights.IMAGENET1K_V1": "squeezenet1_1-b8a52dc0.pth",
    "DenseNet121_Weights.IMAGENET1K_V1": "densenet121-a639ec97.pth",
    "DenseNet161_Weights.IMAGENET1K_V1": "densenet161-8d451a50.pth",
    "DenseNet169_Weights.IMAGENET1K_V1": "densenet169-b2777c0a.pth",
    "DenseNet201_Weights.IMAGENET1K_V1": "densenet201-c1103571.pth",
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
