-- authdb: who may sign in.

CREATE TABLE users (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  email         text NOT NULL UNIQUE,
  password_hash text NOT NULL,
  roles         text[] NOT NULL DEFAULT '{user}',
  state         text NOT NULL DEFAULT 'active',
  created_at    timestamptz NOT NULL DEFAULT now(),
  changed_at    timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT email_is_normal CHECK (email = lower(email) AND email ~ '^[^@[:space:]]+@[^@[:space:]]+$'
                                    AND length(email) <= 254),
  CONSTRAINT password_is_hashed CHECK (password_hash LIKE '$argon2id$%'),
  CONSTRAINT roles_are_known CHECK (roles <@ ARRAY['user', 'admin'] AND cardinality(roles) > 0),
  CONSTRAINT state_is_known CHECK (state IN ('active', 'disabled'))
);

COMMENT ON TABLE users IS 'accounts; what a person tells about themselves is in apidb.profiles';
COMMENT ON COLUMN users.password_hash IS 'argon2id, in the text form that carries its cost';
