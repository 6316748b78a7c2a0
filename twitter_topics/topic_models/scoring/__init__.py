"""From text to topics: the same code in the speed and the batch layer."""
