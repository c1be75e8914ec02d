from .center import Center
from .dcglr import DCGLR
from .teacher_student import TeacherStudent

__all__ = ['DCGLR', 'Center', 'TeacherStudent']
