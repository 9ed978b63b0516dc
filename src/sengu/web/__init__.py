"""The labelling page: what `sengu label page` serves to a browser. Owns .sengu/thumbnails; the only room that knows Flask.

It may import what labels, pictures, objects and drawing offer. What there is to label comes from the command, as `Material`.
"""
