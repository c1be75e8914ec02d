import torch

from dcglr_mm.benchmark.inputs import make_clouds, make_views


def test_squared_distances_on_the_grid_are_exact_in_float32():
    points = make_clouds(2, 50)
    narrow = (points[:, :, None] - points[:, None]).square().sum(-1)
    product = points.square().sum(-1)[:, :, None] + points.square().sum(-1)[:, None] \
        - 2 * points @ points.transpose(1, 2)
    wide = points.double()
    exact = (wide[:, :, None] - wide[:, None]).square().sum(-1)
    assert torch.equal(narrow.double(), exact)
    assert torch.equal(product.double(), exact)


def test_clouds_fill_the_unit_sphere_and_follow_the_seed():
    points = make_clouds(3, 200, seed=1, dtype=torch.float64, on_grid=False)
    torch.testing.assert_close(points.norm(dim=-1).amax(1), torch.ones(3, dtype=torch.float64))
    assert torch.equal(points, make_clouds(3, 200, seed=1, dtype=torch.float64, on_grid=False))
    assert not torch.equal(points, make_clouds(3, 200, seed=2, dtype=torch.float64,
                                               on_grid=False))


def test_views_have_the_paper_s_numbers_and_sizes():
    shapes = {kind: tuple(view.shape) for kind, view in make_views(3, 100).items()}
    assert shapes == {'global': (3, 2, 100, 3), 'local': (3, 8, 50, 3),
                      'resolution': (3, 2, 50, 3)}
