-- apidb: what people tell about themselves.

CREATE TABLE profiles (
  user_id      uuid PRIMARY KEY,
  display_name text NOT NULL,
  organisation text NOT NULL DEFAULT '',
  bio          text NOT NULL DEFAULT '',
  language     text NOT NULL DEFAULT 'ja',
  time_zone    text NOT NULL DEFAULT 'Asia/Tokyo',
  version      int NOT NULL DEFAULT 1,
  changed_at   timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT display_name_fits CHECK (length(display_name) BETWEEN 1 AND 80),
  CONSTRAINT organisation_fits CHECK (length(organisation) <= 120),
  CONSTRAINT bio_fits CHECK (length(bio) <= 1000),
  CONSTRAINT language_is_known CHECK (language IN ('ja', 'en')),
  CONSTRAINT time_zone_fits CHECK (time_zone ~ '^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$' AND length(time_zone) <= 64),
  CONSTRAINT version_counts CHECK (version >= 1)
);

COMMENT ON COLUMN profiles.user_id IS 'authdb.users.id; another database, so no foreign key';
COMMENT ON COLUMN profiles.version IS 'counts changes: two who edit at once do not overwrite each other unseen';
