"""Registries of the ``dcglr_mm`` scope, one child for each of MMEngine's root registries.

A type is found by its bare name inside a config whose ``default_scope`` is ``dcglr_mm`` and as
``dcglr_mm.Name`` from any other scope. Importing a registry is cheap: the modules that fill it are
imported when the first name is looked up.
"""
from mmengine import registry as _root

_LOCATIONS = [
    'dcglr_mm.datasets',
    'dcglr_mm.models',
    'dcglr_mm.engine',
    'dcglr_mm.evaluation',
    'dcglr_mm.visualization',
]

# MMEngine warns whenever a scope lacks the child of a registry that it builds from, so every root
# registry gets one, whether this package fills it or not.
_children = {
    name: _root.Registry(parent.name, parent=parent, scope='dcglr_mm', locations=_LOCATIONS)
    for name, parent in vars(_root).items()
    if name.isupper() and isinstance(parent, _root.Registry)
}
globals().update(_children)

__all__ = sorted(_children)
