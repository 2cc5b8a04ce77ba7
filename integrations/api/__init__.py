"""The API's own operations of this layer, and what all operations share."""
