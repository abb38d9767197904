"""Machine code of the engine: events onto synapses, neurons that fire, and the way in and out.

`scatter` delivers events, `fire` finds the neurons that they made fire, `advance` is a step of any neuron at all;
`stage` puts them together for one layer and all time steps. `tables` says where each argument stands. `compiled`
makes machine code and keeps it on disk, as for the neurons of `picojoule.ops.cpu`.
"""
