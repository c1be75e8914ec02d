"""Cars of all kinds, heading towards +x."""
from __future__ import annotations

import numpy as np

from .families import chance, family, pick, uniform
from .mesh import Mesh, about, both_sides, move
from .solids import beam, box, rod, wedge
from .surfaces import lathe


@family
def car(rng: np.random.Generator) -> list[Mesh]:
    """Saloons, hatchbacks, vans, pick-ups, trucks and buses; racks, spoilers, mirrors."""
    kind = pick(rng, ('saloon', 'saloon', 'hatch', 'van', 'pickup', 'truck', 'bus'))
    long, wide = uniform(rng, 1.6, 2.3), uniform(rng, 0.75, 0.95)
    wheel, low = uniform(rng, 0.14, 0.22), uniform(rng, 0.1, 0.2)
    sill = low + uniform(rng, 0.28, 0.42)
    nose, tail = long / 2, -long / 2
    parts = [_block(tail, nose, wide, low, sill, 0.02, 0.0)]
    upper = _lorry if kind == 'truck' else _coach if kind in ('van', 'bus') else _cabin
    parts += upper(rng, kind, nose, wide, sill)
    heavy = kind in ('truck', 'bus')
    axles = [0.68 * nose, 0.64 * tail] + ([0.64 * tail + 2.2 * wheel] if heavy else [])
    tyre = _wheel(rng, wheel)
    parts += both_sides([move(tyre, (x, 0.46 * wide, wheel)) for x in axles])
    if kind in ('saloon', 'hatch') and chance(rng, 0.3):
        parts.append(beam((tail + 0.06, -0.4 * wide, sill + 0.14),
                          (tail + 0.06, 0.4 * wide, sill + 0.14), 0.16, 0.02))
        parts += both_sides([rod((tail + 0.06, 0.3 * wide, sill), (tail + 0.06, 0.3 * wide,
                                                                  sill + 0.14), 0.015)])
    if chance(rng, 0.4):
        parts += both_sides([box((0.06, 0.12, 0.08), (0.35 * nose, 0.54 * wide, sill + 0.06))])
    return parts


def _coach(rng: np.random.Generator, kind: str, nose: float, wide: float,
           sill: float) -> list[Mesh]:
    """One room over the whole length."""
    slope, roof = uniform(rng, 0.0, 0.25), uniform(rng, 0.35, 0.6)
    return [_block(-nose, nose - 0.3 * slope, wide, sill, sill + roof, 0.04, slope)]


def _lorry(rng: np.random.Generator, kind: str, nose: float, wide: float,
           sill: float) -> list[Mesh]:
    """A driver's cab in front of a container or a tank."""
    cab = uniform(rng, 0.3, 0.45)
    front = nose - cab - 0.1
    parts = [_block(nose - cab, nose, wide, sill, sill + uniform(rng, 0.3, 0.5), 0.03, 0.1)]
    if chance(rng, 0.6):
        tall = uniform(rng, 0.5, 0.9)
        return [*parts, box((front + nose, 1.08 * wide, tall),
                            ((front - nose) / 2, 0, sill + tall / 2))]
    tank = uniform(rng, 0.28, 0.38)
    return [*parts, rod((-nose, 0, sill + tank), (front, 0, sill + tank), tank, segments=16)]


def _cabin(rng: np.random.Generator, kind: str, nose: float, wide: float,
           sill: float) -> list[Mesh]:
    """A passenger room behind the bonnet, with a boot, a steep rear, or a load bed behind it."""
    front, roof = nose - uniform(rng, 0.3, 0.5), uniform(rng, 0.25, 0.42)
    back = {'saloon': uniform(rng, 0.2, 0.4) - nose, 'hatch': 0.02 - nose,
            'pickup': front - uniform(rng, 0.6, 0.8)}[kind]
    parts = [_block(back, front, 0.96 * wide, sill, sill + roof, 0.08, uniform(rng, 0.25, 0.4),
                    0.25 if kind == 'saloon' else 0.1)]
    if kind == 'pickup':
        parts += [box((back + nose, 0.05, 0.15), ((back - nose) / 2, y, sill + 0.07))
                  for y in (-0.45 * wide, 0.45 * wide)]
        parts.append(box((0.05, wide, 0.15), (-nose, 0, sill + 0.07)))
    return parts


def _wheel(rng: np.random.Generator, radius: float) -> Mesh:
    """A wheel in the xz plane."""
    deep = radius * uniform(rng, 0.4, 0.8)
    turned = lathe([(0, 0.6 * deep), (0.6 * radius, 0.6 * deep), (0.65 * radius, deep),
                    (radius, 0.9 * deep), (radius, 0), (0, 0)], 14)
    return move(turned, (0, -deep / 2, 0), about('x', -np.pi / 2))


def _block(back: float, front: float, wide: float, low: float, high: float, tuck: float,
           front_slope: float, back_slope: float = 0.0) -> Mesh:
    """A box from ``back`` to ``front`` whose lid is tucked in and cut off slantwise at its ends."""
    lid = (front - front_slope) - (back + back_slope)
    return wedge((front - back, wide), (lid, wide - 2 * tuck), high - low,
                 ((front + back) / 2, 0, low), ((back_slope - front_slope) / 2, 0))
