-- Jobs that workers began, so that one that is delivered again is done once. A reply means done.
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    attempts BIGINT NOT NULL,
    begun_at BIGINT NOT NULL,
    reply TEXT
);
CREATE INDEX jobs_begun_at ON jobs (begun_at);
