# The embedded shapes as `make demo` takes them: 20 families, every shape randomly rotated.
_shapes = dict(
    type='SyntheticShapes', num_points=512, rotation='so3', noise=0.01,
    classes=['bench', 'bottle', 'car', 'chair', 'gear', 'goblet', 'guitar', 'hammer', 'ladder',
             'lamp', 'mug', 'pipe', 'plane', 'rocket', 'shelf', 'sofa', 'stairs', 'table', 'teapot',
             'umbrella'])
shapes_train = dict(split='train', num_per_class=50, **_shapes)
shapes_test = dict(split='test', num_per_class=50, **_shapes)
