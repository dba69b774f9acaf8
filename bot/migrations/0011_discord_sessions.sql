-- Sessions with Discord's gateway, so that a process that starts goes on where one that is gone has stopped.
-- Whoever holds one is alive until the time given there; whose session is empty has lost it.
CREATE TABLE discord_sessions (
    holder TEXT NOT NULL,
    shard BIGINT NOT NULL,
    shards BIGINT NOT NULL,
    intents BIGINT NOT NULL,
    bot TEXT NOT NULL,
    session TEXT NOT NULL,
    resume_url TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    alive_until BIGINT NOT NULL,
    PRIMARY KEY (holder, shard)
);
-- Who is at a job that no queue watches over.
ALTER TABLE jobs ADD COLUMN holder TEXT;
