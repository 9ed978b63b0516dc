"""Training: features to a head, pictures to a fine-tuned network. Owns models/classifier; imports base, examples, networks."""
