"""From features to a head, from pictures to a fine-tuned network. Owns models/classifier; imports base, examples, networks."""
