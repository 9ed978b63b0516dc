"""Sources of a backbone: embedded, Keras, a hub or a folder. Owns models/backbone; imports base and networks."""
