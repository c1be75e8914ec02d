"""The 13 classes of S3DIS, in the order of their labels."""

#: Class names; a name's place is its label (PointNet's order, which mmdet3d shares).
CLASSES = ('ceiling', 'floor', 'wall', 'beam', 'column', 'window', 'door', 'table', 'chair', 'sofa',
           'bookcase', 'board', 'clutter')

#: Label of everything that is none of the named things.
CLUTTER = CLASSES.index('clutter')

#: RGB of each class in pictures, as PointNet and mmdet3d draw them.
PALETTE = ((0, 255, 0), (0, 0, 255), (0, 255, 255), (255, 255, 0), (255, 0, 255), (100, 100, 255),
           (200, 200, 100), (170, 120, 200), (255, 0, 0), (200, 100, 100), (10, 200, 100),
           (200, 200, 200), (50, 50, 50))

#: Furniture that mmdet3d's detection on S3DIS takes for objects.
DETECTION_CLASSES = ('table', 'chair', 'sofa', 'bookcase', 'board')
