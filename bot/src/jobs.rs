//! More than one process: a gateway that takes messages in, workers that answer them, NATS between.
