"""Data that trains out of the box, and readers for the standard files."""

from picojoule.data.encoding import rate_code
from picojoule.data.idx import read_idx
from picojoule.data.images import BUNDLED, ImageData, Split, load_images

__all__ = ["BUNDLED", "ImageData", "Split", "load_images", "rate_code", "read_idx"]
