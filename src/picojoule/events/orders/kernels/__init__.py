"""Machine code of asynchronous execution: one sample after another, each through all layers.

`arrive` takes one event over its synapses, `update` changes the neurons that it reached and lets them fire, `leave`
counts what they give out. `breadth` and `depth` are the two orders in which events wait for their turn.
"""
