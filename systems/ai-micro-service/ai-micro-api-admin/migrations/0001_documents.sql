-- admindb: one row for each document; its body is the file ab/abcdef… of the file tree.

CREATE TABLE documents (
  id         uuid PRIMARY KEY,
  owner      uuid NOT NULL,
  name       text NOT NULL,
  media_type text NOT NULL,
  size       bigint NOT NULL,
  sha256     text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT name_fits CHECK (length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]/\\]'),
  CONSTRAINT media_type_fits CHECK (media_type ~ '^[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*$'
                                    AND length(media_type) <= 100),
  CONSTRAINT size_counts CHECK (size >= 0),
  CONSTRAINT sha256_is_hex CHECK (sha256 ~ '^[0-9a-f]{64}$')
);

CREATE INDEX documents_newest ON documents (created_at DESC, id DESC);
CREATE INDEX documents_of_owner ON documents (owner, created_at DESC, id DESC);

COMMENT ON TABLE documents IS 'a row is committed after its file is durable, and goes before its file goes';
COMMENT ON COLUMN documents.owner IS 'authdb.users.id; another database, so no foreign key';
