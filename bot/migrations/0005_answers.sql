-- Answers of searches, by the SHA-256 of the question.
CREATE TABLE answers (
    question TEXT NOT NULL PRIMARY KEY,
    answer TEXT NOT NULL,
    at BIGINT NOT NULL
);
