CREATE TABLE "sessions" (
  id blob PRIMARY KEY NOT NULL,
  record blob NOT NULL,
  expires_at integer NOT NULL
);
CREATE INDEX "sessions_expires_at" ON "sessions" (expires_at);
