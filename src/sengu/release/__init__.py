"""The network as one file for others. Owns models/release; imports base, and TensorFlow in conversion only."""
