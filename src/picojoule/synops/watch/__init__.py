"""Following the spikes of one forward pass; the parts of :class:`picojoule.Monitor`."""
