"""Edge convolutions as their paper states them, and graphs that are awkward for them."""
import torch
from torch import nn

from dcglr_mm.models.ops import knn


def plain_edges(features, index):
    """The tensor of all edges ``[x_j - x_i ; x_i]``, (B, 2 C, N, k)."""
    clouds = torch.arange(len(features))[:, None, None]
    center = features[:, :, None].expand(-1, -1, index.shape[2], -1)
    return torch.cat((features[clouds, index] - center, center), -1).permute(0, 3, 1, 2)


def plain_edge_conv(layer, features, index):
    """The layer as its paper writes it, on a tensor of all edges; the first maximum wins."""
    return nn.Sequential(*layer)(plain_edges(features, index)).max(-1).values.transpose(1, 2)


def over_equal_points(features, grad):
    """For each point, the sum of the gradients of all points of its cloud that equal it.

    On some processors matrix products round equal rows differently, by their place in the matrix,
    so that it is not settled which of equal points has a maximum. (What is: ``exact_layer``.)
    """
    equal = (features[:, :, None] == features[:, None]).all(3)  # (B, N, N)
    return equal.to(grad.dtype) @ grad


def results(layer, forward, features, index, grad_out, each_point=False):
    """Output, all gradients and all buffers after a forward and a backward pass.

    Gradients of features are summed over equal points, if not each point's is asked for.
    """
    leaf = features.clone().requires_grad_()
    out = forward(leaf, index)
    out.backward(grad_out.to(out.dtype))
    grad = leaf.grad if each_point else over_equal_points(features, leaf.grad)
    named = {'output': out.detach(), 'features': grad}
    named |= {name: p.grad for name, p in layer.named_parameters()}
    named |= dict(layer.named_buffers())
    return named


def assert_same_results(ours, expected, tolerance):
    """Equal in units of each tensor's largest entry, if that is above 1."""
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        if value is None:
            assert ours[name] is None, name
            continue
        scale = value.abs().max().clamp_min(1).item()
        torch.testing.assert_close(
            ours[name].to(value.dtype), value, rtol=0, atol=tolerance * scale,
            msg=lambda text, name=name: f'{name}: {text}')


def exact_layer(layer):
    """Gives a layer of linear map, batch norm and LeakyReLU numbers with which nothing is rounded.

    For the features of ``exact_graph``, in eval mode. Equal edges are equal then, wherever they
    stand in a matrix, and the first of them is settled.
    """
    conv, norm, activation = layer.eval()
    with torch.no_grad():
        conv.weight.copy_(torch.randint(-3, 4, conv.weight.shape))
        powers = torch.tensor([1., -0.5, 0.25, -2., 0.])
        norm.weight.copy_(powers[torch.arange(len(norm.weight)) % 5])
        norm.bias.copy_(torch.randint(-3, 4, norm.bias.shape))
        norm.running_mean.copy_(torch.randint(-3, 4, norm.bias.shape))
        norm.running_var.fill_(1)
    norm.eps, activation.negative_slope = 0., 0.5
    return layer


def graph(kind, dtype=torch.float64):
    """Features (3, 50, 7) and neighbours for one of the ways a graph can be awkward."""
    torch.manual_seed(1)
    features = torch.randn(3, 50, 7, dtype=dtype)
    k = 9
    if kind == 'repeated points':
        features[:, 25:] = features[:, :25]
    elif kind == 'all points equal':
        features[:] = features[:, :1]
    elif kind == 'grid with ties':
        features = torch.randint(0, 2, features.shape).to(dtype)
    elif kind == 'k above N':
        features, k = features[:, :5], 9
    elif kind == 'far from the origin':
        features += 100
    elif kind == 'one cloud':
        features = features[:1]
    elif kind == 'k 1':
        k = 1
    index = knn(features, features, k)
    if kind == 'any order of neighbours':
        index = index.flip(2)
    return features, index


def exact_graph(kind, dtype):
    """Whole numbers with a whole mean; neighbours in the order of their numbers."""
    features, index = graph(kind, dtype)
    features = (2 * features).round()
    rows = features.view(-1, features.shape[2])
    rows[-1] -= rows.sum(0) % len(rows)
    return features, index.sort(2).values


KINDS = ['generic', 'repeated points', 'all points equal', 'grid with ties', 'k above N',
         'one cloud', 'k 1', 'any order of neighbours']
