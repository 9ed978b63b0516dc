"""The backbone and the classifier, loaded and run by TensorFlow. Owns how their folders look; imports base and examples."""
