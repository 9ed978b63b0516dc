"""Where a backbone comes from: embedded, Keras, a hub or a folder. Owns models/backbone; imports base and networks."""
