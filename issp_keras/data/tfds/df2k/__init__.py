"""DIV2K and Flickr2K together."""
