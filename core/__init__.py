"""What everything stands on. It knows no word of the product and has no models."""
