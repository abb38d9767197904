"""Data that trains out of the box, and readers for the standard files."""

from picojoule.data.encoding import rate_code
from picojoule.data.idx import read_idx
from picojoule.data.images import BUNDLED, ImageData, Split, load_images
from picojoule.data.labelled import DataSets
from picojoule.data.load import load_data
from picojoule.data.rate_coded import RateCoded

__all__ = [
    "BUNDLED",
    "DataSets",
    "ImageData",
    "RateCoded",
    "Split",
    "load_data",
    "load_images",
    "rate_code",
    "read_idx",
]
