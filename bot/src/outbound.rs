//! Every call to somebody else goes through here: timeout, circuit breaker, retries within a budget,
//! rate limit, bulkhead.
