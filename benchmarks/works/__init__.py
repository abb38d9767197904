"""The registry of works: a new one is a file here and a line in WORKS."""

from benchmarks.works.dtype import DTYPE
from benchmarks.works.events import EVENTS, EVENTS_SENSOR, EVENTS_VGG
from benchmarks.works.layer import LAYER
from benchmarks.works.lenet import LENET
from benchmarks.works.recurrent import RECURRENT
from benchmarks.works.small_calls import SMALL_CALLS
from benchmarks.works.steps import STEPS
from benchmarks.works.vgg import VGG
from benchmarks.works.watching import WATCHING

WORKS = {
    work.name: work
    for work in (
        LAYER,
        DTYPE,
        STEPS,
        LENET,
        VGG,
        RECURRENT,
        WATCHING,
        SMALL_CALLS,
        EVENTS,
        EVENTS_VGG,
        EVENTS_SENSOR,
    )
}
