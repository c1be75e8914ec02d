"""Which layers commute with a maximum, once the sign of their scale is known."""
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def is_factorizable(layer: nn.Sequential) -> bool:
    """Whether a layer is a linear one without bias, a batch norm and a (Leaky)ReLU.

    The last two are then one increasing function a channel, where batch norm's scale is positive.
    """
    conv, norm, activation = layer
    increasing = (isinstance(activation, nn.ReLU)
                  or isinstance(activation, nn.LeakyReLU) and activation.negative_slope >= 0)
    return isinstance(norm, _BatchNorm) and increasing and conv.bias is None


def activation_slope(activation: nn.ReLU | nn.LeakyReLU) -> float:
    """Slope below zero."""
    return getattr(activation, 'negative_slope', 0.0)


__all__ = ['activation_slope', 'is_factorizable']
