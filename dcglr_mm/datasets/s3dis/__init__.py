"""S3DIS: reading the raw download, and the layouts that rooms are converted to."""
from .block_format import BlockFormat
from .blocks import room_to_blocks
from .classes import CLASSES, CLUTTER, DETECTION_CLASSES, PALETTE
from .jobs import convert_rooms
from .raw_format import RawFormat
from .raw_rooms import RawRooms
from .room import Room, RoomSource
from .room_format import RoomFolderFormat

__all__ = ['CLASSES', 'CLUTTER', 'DETECTION_CLASSES', 'PALETTE', 'BlockFormat', 'RawFormat',
           'RawRooms', 'Room', 'RoomFolderFormat', 'RoomSource', 'convert_rooms', 'room_to_blocks']
