"""Writes tiny data sets in the two layouts of ShapeNetPart."""
import json

import h5py
import numpy as np

FOLDERS = {
    'Airplane': '02691156', 'Bag': '02773838', 'Cap': '02954340', 'Car': '02958343',
    'Chair': '03001627', 'Earphone': '03261776', 'Guitar': '03467517', 'Knife': '03624134',
    'Lamp': '03636649', 'Laptop': '03642806', 'Motorbike': '03790512', 'Mug': '03797390',
    'Pistol': '03948459', 'Rocket': '04099429', 'Skateboard': '04225987', 'Table': '04379243',
}


def write_text(root, splits, folders=None):
    """Write the text layout.

    Args:
        root: Folder to write into.
        splits: For ``'train'``, ``'val'``, ``'test'`` lists of (category, cloud (N, 7)).
        folders: Categories and their folders; None takes the real ones.
    """
    folders = folders or FOLDERS
    (root / 'synsetoffset2category.txt').write_text(
        ''.join(f'{name}\t{folder}\n' for name, folder in folders.items()))
    (root / 'train_test_split').mkdir()
    for split, shapes in splits.items():
        names = []
        for number, (category, cloud) in enumerate(shapes):
            (root / folders[category]).mkdir(exist_ok=True)
            names.append(f'{folders[category]}/{split}{number:04d}')
            np.savetxt(root / f'{names[-1]}.txt', cloud, fmt='%.6f')
        (root / 'train_test_split' / f'shuffled_{split}_file_list.json').write_text(
            json.dumps([f'shape_data/{name}' for name in names]))


def write_h5(root, splits, **options):
    """Write the HDF5 layout.

    Args:
        root: Folder to write into.
        splits: For each split a list of files, each (data (M, P, 3), label (M,), pid (M, P)).
        **options: Of ``create_dataset``.
    """
    for split, files in splits.items():
        names = []
        for number, (data, label, pid) in enumerate(files):
            names.append(f'ply_data_{split}{number}.h5')
            with h5py.File(root / names[-1], 'w') as file:
                file.create_dataset('data', data=np.asarray(data, 'f4'), **options)
                file.create_dataset('label', data=np.asarray(label, 'u1')[:, None])
                file.create_dataset('pid', data=np.asarray(pid, 'u1'), **options)
        (root / f'{split}_hdf5_file_list.txt').write_text('\n'.join(names) + '\n')
