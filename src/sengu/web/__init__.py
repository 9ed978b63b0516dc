"""The labelling page, which `sengu label page` serves to a browser. Owns .sengu/thumbnails; the only room that uses Flask.

It may import labels, pictures, objects and drawing. The command passes the pictures to label as `Material`.
"""
