-- A journal of version 1 as it was released, with a release in it.  Never changed.
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE releases (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  service TEXT NOT NULL,
  environment TEXT NOT NULL,
  kind TEXT NOT NULL,
  version TEXT NOT NULL,
  from_version TEXT NOT NULL,
  state TEXT NOT NULL,
  who TEXT NOT NULL,
  why TEXT NOT NULL,
  began_ms INTEGER NOT NULL,
  ended_ms INTEGER NOT NULL,
  config_path TEXT NOT NULL,
  config_hash TEXT NOT NULL,
  header TEXT NOT NULL
) STRICT;
CREATE INDEX releases_of_service ON releases (service, number);
CREATE INDEX releases_open ON releases (number) WHERE ended_ms = 0;
CREATE TABLE lines (
  release INTEGER NOT NULL REFERENCES releases (number) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  host TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (release, seq)
) STRICT;
CREATE TABLE requests (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  release INTEGER NOT NULL REFERENCES releases (number) ON DELETE CASCADE,
  text TEXT NOT NULL,
  taken INTEGER NOT NULL DEFAULT 0 CHECK (taken IN (0, 1)),
  answer TEXT
) STRICT;
CREATE INDEX requests_of_release ON requests (release, taken, id);
CREATE TABLE step_times (
  id INTEGER PRIMARY KEY,
  service TEXT NOT NULL,
  step TEXT NOT NULL,
  took_ms INTEGER NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX step_times_of_step ON step_times (service, step, at_ms, id);
PRAGMA application_id = 1886352754;
PRAGMA user_version = 1;
INSERT INTO releases VALUES (7, 'shop-20260131T235959-3f9a', 'shop', 'production', 'release', '1.42.0', '1.41.0',
  'done', 'ada@west', 'the fix', 1769903999123, 1769904999000, '/srv/shop/release.yaml', '9f86d081', '{}');
INSERT INTO lines VALUES (7, 1, 1769903999200, '', '{"n":1}'), (7, 2, 1769903999300, 'west-1', '{"n":2}');
INSERT INTO requests (release, text, taken, answer) VALUES (7, '{"do":"pause"}', 1, '');
INSERT INTO step_times (service, step, took_ms, at_ms) VALUES ('shop', 'start', 4200, 1769903999400);
COMMIT;
