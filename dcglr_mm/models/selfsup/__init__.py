from .center import Center
from .dcglr import DCGLR
from .patch_dcglr import PatchDCGLR
from .strl import STRL
from .teacher_student import TeacherStudent

__all__ = ['DCGLR', 'STRL', 'Center', 'PatchDCGLR', 'TeacherStudent']
