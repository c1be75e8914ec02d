"""The cases of each suite, and what the project set itself to reach."""
from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from .case import VARIANTS, Case, Target

VIT = {  # name: width, depth, heads; MLP ratio 2
    'ViT3D 192x4': dict(embed_dims=192, depth=4, num_heads=4),
    'ViT3D 256x8': dict(embed_dims=256, depth=8, num_heads=8),
    'ViT3D 384x12': dict(embed_dims=384, depth=12, num_heads=6),
}
SCALING_POINTS = (512, 1024, 2048, 4096, 8192, 16384)
SCALING_BATCHES = (1, 2, 4, 8, 16)

_KNN = Target(speedup=3)
_FPS = Target(speedup=6)
_VIEWS = Target(milliseconds=2.5)
_VIT = Target(speedup=1.7)
_PCT = Target(speedup=3.3, tuned_speedup=2.4)
_STEP = Target(speedup=9, tuned_speedup=5)
_DGCNN_FORWARD = Target(speedup=10, tuned_speedup=6)
_DGCNN = {  # batch, points, k
    (8, 1024, 20): Target(speedup=10, tuned_speedup=6, memory=6),
    (8, 1024, 40): Target(speedup=15, tuned_speedup=9, memory=10),
    (4, 2048, 40): Target(speedup=15, tuned_speedup=9, memory=10),
}


def ops() -> list[Case]:
    """Every operation by itself."""
    def case(work: str, label: str, target: Target | None = None, memory: bool = True,
             **settings) -> Case:
        return Case('ops', work, label, settings, target=target, memory=memory)

    knn = [case('knn', f'kNN B8 N{n} C{c} k{k}', _KNN, batch=8, num_points=n, channels=c, k=k)
           for n, c, k in ((1024, 3, 20), (1024, 64, 20), (2048, 3, 20), (2048, 64, 20),
                           (2048, 128, 40))]
    fps = [case('fps', f'farthest-point sampling B{b} {n} to {s}', _FPS, batch=b, num_points=n,
                num_samples=s)
           for b, n, s in ((8, 2048, 64), (8, 2048, 512), (8, 2048, 1024), (32, 1024, 512))]
    loader = [
        case('loader_fps', f'farthest-point sampling in a loader {n} to {n // 2}', memory=False,
             num_points=n, num_samples=n // 2) for n in (1024, 2048)]
    loader.append(case('loader_crop', 'crop in a loader 2048 to 1024', memory=False,
                       num_points=2048, num=1024))
    graph = dict(batch=8, num_points=1024, channels=256, k=20)
    return [
        *knn, *fps, *loader,
        case('crop', 'crop B8 2048 to 1024', batch=8, num_points=2048, num=1024),
        case('gather', 'gather neighbours B8 N1024 C64 k20', batch=8, num_points=1024,
             channels=64, k=20),
        case('maximum', 'maximum over neighbours B8 N1024 C256 k20', **graph, winner=False),
        case('maximum', 'maximum and its place B8 N1024 C256 k20', **graph, winner=True),
        case('interpolate', 'interpolation B8 256 to 1024 C256', batch=8, num_points=1024,
             num_sources=256, channels=256),
        *[case('edge_conv', f'EdgeConv {c} to {d}, forward + backward, B8 N1024 k20', batch=8,
               num_points=1024, channels=c, out_channels=d, k=20)
          for c, d in ((3, 64), (64, 64), (128, 256))],
    ]


def backbones() -> list[Case]:
    """Every backbone, its neighbour searches included."""
    cases = [_backbone('DGCNN', 'DGCNN', b, n, 'train', _DGCNN.get((b, n, k)), k=k)
             for b, n, k in ((8, 1024, 20), (8, 1024, 40), (4, 2048, 20), (4, 2048, 40))]
    cases += [_backbone('DGCNN', 'DGCNN', 8, 1024, mode, _DGCNN_FORWARD, k=20)
              for mode in ('eval', 'teacher')]
    cases.append(_backbone('DGCNN', 'DGCNN', 4, 2048, 'eval', k=40))
    cases.append(_backbone('PCT', 'PCT', 8, 1024, 'train', _PCT))
    cases.append(_backbone('PCT', 'PCT', 4, 2048, 'train'))
    cases.append(_backbone('PCT', 'PCT', 8, 1024, 'eval'))
    for label, sizes in VIT.items():
        target = _VIT if label != 'ViT3D 192x4' else None
        cases.append(_backbone('ViT3D', label, 8, 1024, 'train', target, **sizes))
        cases.append(_backbone('ViT3D', label, 8, 1024, 'eval', **sizes))
    cases.append(_backbone('ViT3D', 'ViT3D 192x4', 8, 2048, 'train', **VIT['ViT3D 192x4']))
    return cases


def step() -> list[Case]:
    """One DCGLR step with its 12 views: both networks, backward, optimiser, EMA."""
    def case(label: str, backbone: str, batch: int, target: Target | None = None,
             num_points: int = 1024, **sizes) -> Case:
        return Case('step', 'dcglr_step', f'DCGLR step, {label}, B{batch} N{num_points}',
                    dict(backbone=backbone, batch=batch, num_points=num_points, **sizes),
                    target=target)

    return [case('DGCNN k20', 'DGCNN', 4, _STEP, k=20),
            case('PCT', 'PCT', 4),
            *[case(label, 'ViT3D', 8, **sizes) for label, sizes in VIT.items()
              if label != 'ViT3D 256x8'],
            case('ViT3D 96x4', 'ViT3D', 32, num_points=512, embed_dims=96, depth=4, num_heads=4)]


def pipeline() -> list[Case]:
    """The 12 views of one sample, as a loader's worker makes them."""
    return [Case('pipeline', 'views', f"12 views of a sample, N{n}, fill='{fill}'",
                 dict(num_points=n, fill=fill), target=_VIEWS, memory=False)
            for n in (1024, 2048) for fill in ('interpolate', 'repeat', 'subsample')]


def features() -> list[Case]:
    """Features of a data set in memory, loader included."""
    def case(label: str, backbone: str, **sizes) -> Case:
        return Case('features', 'features', f'features of 32 clouds, {label}, N1024',
                    dict(backbone=backbone, num_clouds=32, batch=16, num_points=1024, **sizes))

    return [case('DGCNN k20', 'DGCNN', k=20), case('PCT', 'PCT'),
            case('ViT3D 192x4', 'ViT3D', **VIT['ViT3D 192x4'])]


def scaling() -> list[Case]:
    """Time and memory over the number of points and over the batch."""
    cases = []
    for n in SCALING_POINTS:
        curve = dict(curve=('kNN C3 k20, B1', 'num_points'))
        cases.append(Case('scaling', 'knn', f'kNN B1 N{n} C3 k20',
                          dict(batch=1, num_points=n, channels=3, k=20), **curve))
    for label, backbone, sizes in (('DGCNN k20', 'DGCNN', dict(k=20)), ('PCT', 'PCT', {}),
                                   ('ViT3D 192x4', 'ViT3D', VIT['ViT3D 192x4'])):
        points = [(f'{label}, B1', 'num_points', 1, n) for n in SCALING_POINTS]
        batches = [(f'{label}, N1024', 'batch', b, 1024) for b in SCALING_BATCHES]
        for name, axis, batch, n in points + (batches if backbone != 'PCT' else []):
            case = _backbone(backbone, label.split(' k')[0], batch, n, 'train', **sizes)
            cases.append(replace(case, suite='scaling', curve=(name, axis)))
    return cases


SUITES = dict(ops=ops, backbones=backbones, step=step, pipeline=pipeline, features=features,
              scaling=scaling)

_MODES = {
    'train': ('forward + backward', dict(backward=True, training=True)),
    'eval': ('forward without gradient', dict(backward=False, training=False)),
    'teacher': ('forward without gradient, batch statistics', dict(backward=False, training=True)),
}


def _backbone(backbone: str, label: str, batch: int, num_points: int, mode: str,
              target: Target | None = None, **sizes) -> Case:
    name, flags = _MODES[mode]
    k = f' k{sizes["k"]}' if 'k' in sizes else ''
    return Case('backbones', 'backbone', f'{label} B{batch} N{num_points}{k}, {name}',
                dict(backbone=backbone, batch=batch, num_points=num_points, **flags, **sizes),
                target=target)


def select_cases(suites: Iterable[str], variants: Iterable[str] = ('float32', ),
                 contains: str = '', batch: int | None = None) -> list[Case]:
    """The cases to run, in the order of the suites.

    Variants other than float32 exist for backbones, training steps and features (compiled: for the
    first two); targets hold for float32 on a CPU.

    Args:
        suites: Names among :data:`SUITES`.
        variants: Names among :data:`VARIANTS`.
        contains: What has to be part of a case's name.
        batch: Clouds of a batch in backbones and steps, instead of the usual number.

    Raises:
        ValueError: If a suite or variant is unknown, or nothing is left.
    """
    suites, variants = list(suites), list(variants)
    for name, given, known in (('suite', suites, SUITES), ('variant', variants, VARIANTS)):
        unknown = [value for value in given if value not in known]
        if unknown:
            raise ValueError(f'{name} must be of {", ".join(known)}, got {unknown[0]!r}')
    cases = []
    for case in (case for suite in suites for case in SUITES[suite]()):
        for variant in variants:
            if variant == 'float32':
                cases.append(case)
            elif case.work in ('backbone', 'dcglr_step') and case.curve is None or (
                    case.work == 'features' and variant == 'bfloat16'):
                cases.append(replace(case, variant=variant, target=None,
                                     label=f'{case.label}, {variant}'))
    if batch is not None:
        cases = [_with_batch(case, batch) for case in cases]
    cases = [case for case in cases if contains.lower() in case.label.lower()]
    if not cases:
        raise ValueError(f'no case of {", ".join(suites)} has {contains!r} in its name')
    return cases


def _with_batch(case: Case, batch: int) -> Case:
    if case.suite not in ('backbones', 'step'):
        return case
    same = case.settings['batch'] == batch
    return replace(case, settings={**case.settings, 'batch': batch},
                   target=case.target if same else None,
                   label=re.sub(r'\bB\d+\b', f'B{batch}', case.label))
