"""Asynchronous execution: what a network does where events wait for their turn and neurons fire as soon as they may."""

from picojoule.events.orders.limits import ChipLimits
from picojoule.events.orders.network import Arrival, Leak, Order, OrderedNetwork
from picojoule.events.orders.result import OrderedRun
from picojoule.events.orders.run import run
from picojoule.events.orders.states import OrderedStates

__all__ = [
    "Arrival",
    "ChipLimits",
    "Leak",
    "Order",
    "OrderedNetwork",
    "OrderedRun",
    "OrderedStates",
    "run",
]
