CREATE TABLE "sessions" (
  id bytea PRIMARY KEY,
  record bytea NOT NULL,
  expires_at bigint NOT NULL
);
CREATE INDEX "sessions_expires_at" ON "sessions" (expires_at);
