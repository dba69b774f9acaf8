-- Which thread belongs to whom, in which channel. The person is a hash.
CREATE TABLE discord_threads (
    channel TEXT NOT NULL,
    person TEXT NOT NULL,
    thread TEXT NOT NULL,
    used_at BIGINT NOT NULL,
    PRIMARY KEY (channel, person)
);
CREATE INDEX discord_threads_used_at ON discord_threads (used_at);
