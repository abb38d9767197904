"""What comes in as events: checked, given a step and a place, and written where the engine reads it.

`columns` reads what the user has, in slices; `arrivals` checks times and places; `step_events` counts events into time
steps; `waiting` keeps what cannot run yet; `rasters` hands an engine its steps, from dense sequences, COO tensors and
recordings alike. A dense raster is never made of events.
"""
