-- What the first edition (revision 0004) wrote in a day's work, as its statements read; `n` numbers the day.
-- A line of dashes ends a transaction. Where it asked for the number of a row, the row is named here.

SELECT version_num FROM alembic_version;
INSERT INTO patient_service.worker_heartbeats (worker, process, state) VALUES ('import', 'old:' || %(n)s, 'leading')
  ON CONFLICT (worker, process) DO UPDATE SET state = excluded.state, beat_at = now();
INSERT INTO patient_service.import_passes (trigger, actor) VALUES ('schedule', 'service') RETURNING id;
---- a registration
INSERT INTO patient_service.import_tracking (source_key, bucket, file_name, file_version, file_size)
  VALUES ('b/' || %(n)s || '/digest', 'b', 'Alt_Anna_20250705_0b1ab67b.json', %(n)s, 2147) ON CONFLICT (source_key) DO NOTHING;
----
UPDATE patient_service.import_tracking SET attempts = attempts + 1, round_attempts = round_attempts + 1
  WHERE source_key = 'b/' || %(n)s || '/digest' AND (status = 'pending' OR status = 'retrying')
  RETURNING attempts, round_attempts, set_config('synchronous_commit', 'off', true);
----
UPDATE patient_service.import_tracking SET file_hash = md5(%(n)s), local_path = '2025/07/' || %(n)s || '.json'
  WHERE source_key = 'b/' || %(n)s || '/digest';
----
SELECT EXISTS (SELECT FROM patient_service.tombstones WHERE digest = ANY (ARRAY[md5(%(n)s)])),
  EXISTS (SELECT FROM patient_service.patient_consents WHERE file_hash = md5(%(n)s));
INSERT INTO patient_service.patienten (anrede, geschlecht, vorname, nachname, strasse, plz, ort, email, telefon, hausarzt,
    krankenkasse, krankenversicherungsnummer, geburtsdatum, diagnose, symptome, erfahrung_mit_psychotherapie,
    letzte_sitzung_vorherige_psychotherapie, vertraege_unterschrieben, psychotherapeutische_sprechstunde, startdatum,
    erster_therapieplatz_am, funktionierender_therapieplatz_am, status, empfehler_der_unterstuetzung,
    zeitliche_verfuegbarkeit, raeumliche_verfuegbarkeit, verkehrsmittel, offen_fuer_gruppentherapie, offen_fuer_diga,
    ausgeschlossene_therapeuten, bevorzugtes_therapeutengeschlecht, bevorzugtes_therapieverfahren, name_key, email_key,
    search_key)
  VALUES ('Frau', 'weiblich', 'Anna', 'Alt' || %(n)s, NULL, '52066', NULL, 'a' || %(n)s || '@example.com', NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, false, false, NULL, NULL, NULL, 'offen', NULL, '{}', '{}', NULL, false, false, '[]', 'Egal',
    'egal', 'anna|alt' || %(n)s, 'a' || %(n)s || '@example.com', 'anna alt' || %(n)s);
INSERT INTO patient_service.event_outbox (event_type, topic, key, payload)
  SELECT 'patient.created', 'patient-events', id, jsonb_build_object('patient_id', id)
  FROM patient_service.patienten WHERE nachname = 'Alt' || %(n)s;
INSERT INTO patient_service.patient_consents (patient_id, registration_token, registration_timestamp, given_at, ip_address,
    user_agent, document, file_hash, import_id)
  SELECT patient.id, left(md5(%(n)s), 8), '2025-07-05 06:35:41+00', '2025-07-05 06:35:41+00', NULL, NULL, '{}', md5(%(n)s), file.id
  FROM patient_service.patienten AS patient, patient_service.import_tracking AS file
  WHERE nachname = 'Alt' || %(n)s AND source_key = 'b/' || %(n)s || '/digest';
INSERT INTO patient_service.import_outcomes (import_id, record_index, entity_id, outcome, code, rule)
  SELECT file.id, 0, patient.id, 'new', NULL, 'new'
  FROM patient_service.patienten AS patient, patient_service.import_tracking AS file
  WHERE nachname = 'Alt' || %(n)s AND source_key = 'b/' || %(n)s || '/digest';
UPDATE patient_service.import_tracking SET status = 'success', next_attempt_at = NULL, error_code = NULL,
    processed_at = now(), duration_ms = 212, source_deleted_at = NULL, patient_count = 1, new_count = 1, updated_count = 0,
    unchanged_count = 0, deleted_count = 0, reactivated_count = 0, skipped_count = 0, held_count = 0, failed_count = 0
  WHERE source_key = 'b/' || %(n)s || '/digest' AND (status = 'pending' OR status = 'retrying');
---- its object is deleted, the events are sent, the pass ends
UPDATE patient_service.import_tracking SET source_deleted_at = now() WHERE source_key = 'b/' || %(n)s || '/digest';
----
SELECT id, event_type, topic, key, payload FROM patient_service.event_outbox WHERE sent_at IS NULL AND parked_code IS NULL
  ORDER BY id LIMIT 500 FOR UPDATE;
UPDATE patient_service.event_outbox SET sent_at = now() WHERE sent_at IS NULL;
----
UPDATE patient_service.import_passes SET finished_at = clock_timestamp(), counts = '{"success": 1}', ignored = '{}',
  error_code = NULL, next_pass_at = now() WHERE finished_at IS NULL;
---- somebody changes the patient
SELECT * FROM patient_service.patienten WHERE nachname = 'Alt' || %(n)s FOR UPDATE;
UPDATE patient_service.patienten SET telefon = '0241 555', status = 'in_Therapie', updated_at = now() WHERE nachname = 'Alt' || %(n)s;
INSERT INTO patient_service.field_changes (entity_id, field, old_value, new_value, changed_by)
  SELECT id, 'telefon', NULL, '"0241 555"', 'api:old' FROM patient_service.patienten WHERE nachname = 'Alt' || %(n)s;
INSERT INTO patient_service.event_outbox (event_type, topic, key, payload)
  SELECT 'patient.status_changed', 'patient-events', id, jsonb_build_object('patient_id', id)
  FROM patient_service.patienten WHERE nachname = 'Alt' || %(n)s;
---- a file fails, is told, and is discarded
INSERT INTO patient_service.import_tracking (source_key, bucket, file_name, file_version, file_size)
  VALUES ('b/' || %(n)s || '/broken', 'b', 'broken.json', %(n)s, 1) ON CONFLICT (source_key) DO NOTHING;
INSERT INTO patient_service.import_findings (import_id, record_index, pointer, code)
  SELECT id, 0, '/patient_data/geburtsdatum', 'invalid_date' FROM patient_service.import_tracking WHERE source_key = 'b/' || %(n)s || '/broken';
UPDATE patient_service.import_tracking SET status = 'failed', error_code = 'validation_failed', processed_at = now()
  WHERE source_key = 'b/' || %(n)s || '/broken' AND (status = 'pending' OR status = 'retrying');
INSERT INTO patient_service.alert_outbox (kind, code, import_id, fingerprint, detail)
  SELECT 'problem', 'validation_failed', id, 'patient-import:' || id, '{}'
  FROM patient_service.import_tracking WHERE source_key = 'b/' || %(n)s || '/broken'
  ON CONFLICT (fingerprint) WHERE kind = 'problem' AND resolved_at IS NULL DO UPDATE SET code = excluded.code;
----
UPDATE patient_service.import_tracking SET status = 'discarded', discard_reason = 'twice', delete_source = false
  WHERE source_key = 'b/' || %(n)s || '/broken';
INSERT INTO patient_service.operator_actions (action, import_id, actor, reason)
  SELECT 'discard', id, 'api:old', 'twice' FROM patient_service.import_tracking WHERE source_key = 'b/' || %(n)s || '/broken';
UPDATE patient_service.alert_outbox SET resolved_at = now() WHERE code = 'validation_failed' AND resolved_at IS NULL;
---- somebody is entered and erased
INSERT INTO patient_service.patienten (anrede, geschlecht, vorname, nachname, status, name_key, email_key, search_key)
  VALUES ('Herr', 'männlich', 'Emil', 'Weg' || %(n)s, 'offen', 'emil|weg', NULL, 'emil weg');
----
SELECT set_config('curavani.removing_consents', 'on', true);
DELETE FROM patient_service.patient_consents WHERE patient_id = (SELECT id FROM patient_service.patienten WHERE nachname = 'Weg' || %(n)s);
DELETE FROM patient_service.event_outbox WHERE key = (SELECT id::text FROM patient_service.patienten WHERE nachname = 'Weg' || %(n)s);
INSERT INTO patient_service.erasures (patient_id, erased_by, erased_at, certificate)
  SELECT id, 'api:old', now(), '{"not_reached": []}' FROM patient_service.patienten WHERE nachname = 'Weg' || %(n)s;
INSERT INTO patient_service.tombstones (digest, kind, erasure_id)
  SELECT md5('weg' || %(n)s), 'patient', max(id) FROM patient_service.erasures ON CONFLICT DO NOTHING;
DELETE FROM patient_service.patienten WHERE nachname = 'Weg' || %(n)s;
---- a scrape: one is new, one of before is unchanged, one is gone
INSERT INTO therapist_service.import_tracking (source_key, file_name, file_version, file_size, zip, mapping_version)
  VALUES ('52066.json|' || %(n)s, '52066.json', %(n)s, 7961, '52066', 1) ON CONFLICT (source_key) DO NOTHING;
----
UPDATE therapist_service.import_tracking SET attempts = attempts + 1, round_attempts = round_attempts + 1
  WHERE source_key = '52066.json|' || %(n)s AND (status = 'pending' OR status = 'retrying');
----
INSERT INTO therapist_service.therapeuten (anrede, geschlecht, vorname, nachname, strasse, plz, ort, telefon, email,
    telefonische_erreichbarkeit, fremdsprachen, psychotherapieverfahren, kassensitz, status, external_id, source_area, source_zip,
    source_record, source_raw, source_hash, source_seen_at, source_plz, source_import_id, created_at, updated_at, search_key,
    last_key, first_key, other_keys)
  SELECT 'Frau', 'weiblich', 'Tea', 'Neu' || %(n)s, 'Weg 1', '52066', 'Aachen', '0241 1', 'tea' || %(n)s || '@example.com', '{}', '[]',
    '[]', true, 'aktiv', 'praxis' || %(n)s, '52XXX', '52066', '{"nachname": "Neu"}', '{}', md5(%(n)s),
    '2025-07-02 03:00+00'::timestamptz + make_interval(days => 7 * %(week)s), '52066', file.id, now(), now(), 'tea neu',
    '52066|neu' || %(n)s, '52066|tea', NULL
  FROM therapist_service.import_tracking AS file WHERE source_key = '52066.json|' || %(n)s;
UPDATE therapist_service.therapeuten AS present
  SET source_seen_at = '2025-07-02 03:00+00'::timestamptz + make_interval(days => 7 * %(week)s), source_zip = '52066', source_import_id = file.id
  FROM therapist_service.import_tracking AS file
  WHERE source_key = '52066.json|' || %(n)s AND nachname = 'Stets';
UPDATE therapist_service.therapeuten SET status = 'inaktiv', updated_at = now(),
  source_removed_at = '2025-07-02 03:00+00'::timestamptz + make_interval(days => 7 * %(week)s) WHERE nachname = 'Gone' AND status = 'aktiv';
INSERT INTO therapist_service.import_outcomes (import_id, record_index, entity_id, outcome, code, rule)
  SELECT file.id, 0, therapist.id, CASE nachname WHEN 'Gone' THEN 'deleted' ELSE 'new' END, NULL, 'id'
  FROM therapist_service.therapeuten AS therapist, therapist_service.import_tracking AS file
  WHERE nachname IN ('Gone', 'Neu' || %(n)s) AND source_key = '52066.json|' || %(n)s;
INSERT INTO therapist_service.event_outbox (event_type, topic, key, payload)
  SELECT 'therapist.created', 'therapist-events', id, jsonb_build_object('therapist_id', id)
  FROM therapist_service.therapeuten WHERE nachname = 'Neu' || %(n)s;
INSERT INTO therapist_service.scrape_fill (scrape_day, zip, records, filled)
  VALUES (DATE '2025-07-02' + 7 * %(week)s, '52066', 3, '{"ort": 3}')
  ON CONFLICT (scrape_day, zip) DO UPDATE SET records = excluded.records, filled = excluded.filled;
UPDATE therapist_service.import_tracking SET file_hash = md5(%(n)s),
    scrape_date = '2025-07-02 03:00+00'::timestamptz + make_interval(days => 7 * %(week)s), status = 'success', next_attempt_at = NULL,
    error_code = NULL, processed_at = now(), duration_ms = 9, source_deleted_at = NULL, therapist_count = 3, new_count = 1,
    updated_count = 0, unchanged_count = 1, deleted_count = 1, reactivated_count = 0, skipped_count = 0, held_count = 0, failed_count = 0
  WHERE source_key = '52066.json|' || %(n)s AND (status = 'pending' OR status = 'retrying');
---- a person is asked, and decides
INSERT INTO therapist_service.reviews (kind, entity_id, other_id, import_id, record_index, fingerprint, detail)
  SELECT 'held_deletions', NULL, NULL, max(id), 0, NULL, '{"deletions": [], "active_before": 10, "seen_at": "2025-07-02T03:00:00+00:00"}'
  FROM therapist_service.import_tracking;
----
UPDATE therapist_service.reviews SET state = 'resolved', detail = detail || '{"done": {}}', choice = 'reject', comment = NULL,
  decided_by = 'api:old', decided_at = now() WHERE state = 'open';
INSERT INTO therapist_service.operator_actions (action, review_id, actor, reason) SELECT 'resolve', max(id), 'api:old', NULL
  FROM therapist_service.reviews;
---- what it reads, with the columns that are to leave
SELECT id, source_key, bucket, file_name, file_version, file_size, file_hash, local_path, zip, scrape_date, mapping_version, status,
  attempts, round_attempts, next_attempt_at, error_code, discard_reason, delete_source, first_seen_at, processed_at, duration_ms,
  source_deleted_at FROM patient_service.import_tracking ORDER BY id DESC LIMIT 20;
SELECT id, source_key, bucket, file_name, file_version, file_size, file_hash, local_path, zip, scrape_date, mapping_version, status,
  attempts, round_attempts, next_attempt_at, error_code, discard_reason, delete_source, first_seen_at, processed_at, duration_ms,
  source_deleted_at FROM therapist_service.import_tracking ORDER BY id DESC LIMIT 20;
SELECT kind, digest FROM patient_service.tombstones;
SELECT key FROM patient_service.digest_key;
