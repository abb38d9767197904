"""Data that trains out of the box, and readers for the standard files."""

from picojoule.data.cifar10 import load_cifar10
from picojoule.data.cifar10_dvs import load_cifar10_dvs
from picojoule.data.dvs_gesture import load_dvs_gesture
from picojoule.data.encoding import rate_code
from picojoule.data.event_columns import as_events
from picojoule.data.event_files import read_events
from picojoule.data.event_frames import EventFrames
from picojoule.data.events import Events, events_to_frames
from picojoule.data.idx import read_idx
from picojoule.data.images import BUNDLED, ImageData, Split, load_images
from picojoule.data.labelled import DataSets
from picojoule.data.load import load_data
from picojoule.data.n_mnist import load_n_mnist, read_n_mnist_events
from picojoule.data.rate_coded import RateCoded
from picojoule.data.saccades import saccade
from picojoule.data.shd import load_shd
from picojoule.data.tonic import from_tonic

__all__ = [
    "BUNDLED",
    "DataSets",
    "EventFrames",
    "Events",
    "ImageData",
    "RateCoded",
    "Split",
    "as_events",
    "events_to_frames",
    "from_tonic",
    "load_cifar10",
    "load_cifar10_dvs",
    "load_data",
    "load_dvs_gesture",
    "load_images",
    "load_n_mnist",
    "load_shd",
    "rate_code",
    "read_events",
    "read_idx",
    "read_n_mnist_events",
    "saccade",
]
