"""Pages of channels: the connections of the organization, and the channels of one source."""
