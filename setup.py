"""Packaging of dcglr_mm; requirements live in requirements/*.txt, settings in pyproject.toml."""
import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


def read_version() -> str:
    text = (ROOT / 'dcglr_mm' / '__init__.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '(.+)'$", text, re.MULTILINE).group(1)


def read_requirements(name: str) -> list:
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith('#')]


class BuildWithConfigs(build_py):
    """Put `configs` and `tools` into the wheel as `dcglr_mm/.mim`, where OpenMMLab keeps them."""

    def run(self) -> None:
        super().run()
        if getattr(self, 'editable_mode', False):  # they lie in the checkout already
            return
        for folder in ('configs', 'tools'):
            target = Path(self.build_lib) / 'dcglr_mm' / '.mim' / folder
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(ROOT / folder, target,
                            ignore=shutil.ignore_patterns('__pycache__', '*.pyc'))
        shutil.copy(ROOT / 'dcglr_mm' / '.mim' / 'model-index.yml', target.parent)


core = read_requirements('core')
mmdet3d = read_requirements('mmdet3d')
dev = read_requirements('dev')

setup(
    name='dcglr_mm',
    version=read_version(),
    description='Self-supervised pre-training of point-cloud networks (DCGLR) for OpenMMLab',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    keywords='point cloud, self-supervised learning, OpenMMLab, mmdet3d',
    classifiers=[
        'Operating System :: POSIX',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    python_requires='>=3.10,<3.13',
    packages=find_packages(include=['dcglr_mm', 'dcglr_mm.*']),
    package_data={'dcglr_mm.visualization': ['viewer.html']},
    cmdclass={'build_py': BuildWithConfigs},
    install_requires=core,
    extras_require={'mmdet3d': mmdet3d, 'dev': dev, 'all': mmdet3d + dev},
    zip_safe=False,
)
