"""Compiled kernels of the transforms: the same views as without them, and safe whatever comes."""
import multiprocessing
import os
import subprocess
import sys

import numpy as np
import pytest

from dcglr_mm.datasets.transforms import MultiCrop, SamplePoints
from dcglr_mm.datasets.transforms.crop import nearest_region
from dcglr_mm.datasets.transforms.fps import farthest_point_sample
from dcglr_mm.datasets.transforms.kernels import compiled_kernels
from dcglr_mm.models.ops import kernel_checks, kernel_choice

pytest.importorskip('numba', reason='Numba is not installed')

from dcglr_mm.models.ops.numba_kernels import one_cloud  # noqa: E402

VIEWS = ('import hashlib, sys, numpy as np\n'
         'from dcglr_mm.datasets.transforms import MultiCrop\n'
         'from dcglr_mm.datasets.transforms.kernels import compiled_kernels\n'
         'assert (compiled_kernels() is not None) == (sys.argv[1] == "1")\n'
         'made = hashlib.sha256()\n'
         'for seed, (n, fill) in enumerate([\n'
         '        (512, "interpolate"), (700, "repeat"), (90, "subsample")]):\n'
         '    points = np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32)\n'
         '    points[n // 2:] = points[:n - n // 2].round(1)  # some places twice\n'
         '    views = MultiCrop(fill=fill)(dict(points=points, rng=np.random.default_rng(seed)))\n'
         '    for kind in ("global", "local", "resolution"):\n'
         '        made.update(views["views"][kind].tobytes())\n'
         'print(made.hexdigest())\n')


def test_views_do_not_depend_on_kernels():
    said = [subprocess.run([sys.executable, '-c', VIEWS, switch], check=True, capture_output=True,
                           env=dict(os.environ, DCGLR_MM_NUMBA=switch), text=True).stdout
            for switch in ('1', '0')]
    with_kernels, without = (text.split()[-1] for text in said)  # what may come before: compiling
    assert len(without) == 64 and with_kernels == without


@pytest.mark.parametrize('share', [1.0, 0.9, 0.1])
def test_what_is_no_number_leads_nowhere_else(share):
    """Clouds are checked when they are read; who goes around that must not read other memory."""
    rng = np.random.default_rng(0)
    for bits in (2**32 - 1, 2**31 - 1, 0xFFC00000, 0x7F800000):
        points = rng.normal(size=(130, 3)).astype(np.float32)
        points[rng.random(130) < share] = np.array([bits], np.uint32).view(np.float32)
        for start in (0, 64, 129):
            order = one_cloud.farthest_point_sample(points, 130, start)
            assert sorted(order) == list(range(130)) and order[0] == start
            region = one_cloud.nearest_region(points, start, 60)
            assert len(set(region)) == 60 and 0 <= region.min() and region.max() < 130
            assert start in region
        points[:] = np.where(np.isfinite(points), 1, points)
        means = one_cloud.neighbor_means(points, np.arange(130), 4)
        assert ((means == 1) | ~np.isfinite(means)).all()


def test_kernels_that_err_are_told_from_right_ones(monkeypatch):
    wrong = {'farthest_point_sample': (lambda points, num, start: np.arange(num), 'sample other'),
             'nearest_region': (lambda points, seed, num: np.arange(num), 'crop other'),
             'neighbor_means': (lambda points, centers, k: points[centers], 'find other means'),
             'scaled': (lambda points, factor: points, 'elsewhere'),
             'shifted': (lambda points, offset: points, 'elsewhere'),
             'add_clipped': (lambda points, noise, sigma, clip: points, 'elsewhere')}
    assert kernel_checks.one_cloud(one_cloud, kernel_choice.torch.device('cpu')) is None
    for name, (function, words) in wrong.items():
        with monkeypatch.context() as patch:
            patch.setattr(one_cloud, name, function)
            found = kernel_checks.one_cloud(one_cloud, kernel_choice.torch.device('cpu'))
        assert words in found


def _views_in_a_worker(transform, points, results):
    results.put(transform(dict(points=points, rng=np.random.default_rng(3)))['views']['local'])


@pytest.mark.parametrize('method', ['fork', 'spawn'])
def test_workers_make_the_same_views(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f'no {method}')
    points = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    transform, context = MultiCrop(), multiprocessing.get_context(method)
    results = context.Queue()
    worker = context.Process(target=_views_in_a_worker, args=(transform, points, results),
                             daemon=True)
    worker.start()
    found = results.get(timeout=100)
    worker.join(60)
    expected = transform(dict(points=points, rng=np.random.default_rng(3)))['views']['local']
    assert np.array_equal(found, expected)


@pytest.mark.parametrize('build', [MultiCrop, lambda: SamplePoints(5, method='fps')])
def test_kernels_are_there_before_workers_are(build):
    compiled_kernels.cache_clear()
    build()
    assert compiled_kernels.cache_info().currsize == 1


@pytest.mark.parametrize('kind', [np.float64, np.float16])
def test_clouds_of_another_type(kind):
    points = np.random.default_rng(0).normal(size=(90, 3)).astype(kind)
    order = farthest_point_sample(points, 9, 4)
    assert order.tolist() == farthest_point_sample(points.astype(np.float32), 9, 4).tolist()
    near = ((points.astype(np.float64) - points[4]) ** 2).sum(1).argsort()[:20]
    assert nearest_region(points, 4, 20).tolist() == sorted(near)
