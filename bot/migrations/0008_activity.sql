-- When each person (hashed) was last heard in each guild.
CREATE TABLE seen (
    guild TEXT NOT NULL,
    person TEXT NOT NULL,
    last BIGINT NOT NULL,
    PRIMARY KEY (guild, person)
);
CREATE INDEX seen_last ON seen (last);
-- How many messages each guild had in each hour, which is named by its beginning.
CREATE TABLE said (
    guild TEXT NOT NULL,
    hour BIGINT NOT NULL,
    messages BIGINT NOT NULL,
    PRIMARY KEY (guild, hour)
);
