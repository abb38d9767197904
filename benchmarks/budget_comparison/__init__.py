"""A stated budget beside penalties whose weight is tuned by hand: same nets, data, epochs and initial weights."""
