"""Tables of both services"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Consent is evidence: nobody rewrites it, and it goes only with an erasure, which says so for its own transaction.
CONSENTS_ARE_EVIDENCE = """
CREATE FUNCTION patient_service.consents_are_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('curavani.removing_consents', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'consent records are append-only' USING ERRCODE = 'restrict_violation';
END $$
"""
CONSENTS_TRIGGER = """
CREATE TRIGGER consents_are_evidence BEFORE UPDATE OR DELETE ON patient_service.patient_consents
FOR EACH ROW EXECUTE FUNCTION patient_service.consents_are_evidence()
"""
# 244 random bits from PostgreSQL's strong generator; no extension needed.
NEW_DIGEST_KEY = """
INSERT INTO patient_service.digest_key (key)
VALUES (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'))
"""


def upgrade() -> None:
    op.execute("CREATE SCHEMA IF NOT EXISTS patient_service")
    op.execute("CREATE SCHEMA IF NOT EXISTS therapist_service")
    op.create_table(
        "digest_key",
        sa.Column("only", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint('"only"', name=op.f("ck_digest_key_one_row")),
        sa.PrimaryKeyConstraint("only", name=op.f("pk_digest_key")),
        schema="patient_service",
    )
    op.create_table(
        "erasures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("erased_by", sa.Text(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("certificate", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
        schema="patient_service",
    )
    op.create_index(op.f("ix_erasures_patient_id"), "erasures", ["patient_id"], unique=False, schema="patient_service")
    op.create_table(
        "event_outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("parked_code", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_outbox")),
        sa.UniqueConstraint("event_id", name=op.f("uq_event_outbox_event_id")),
        schema="patient_service",
    )
    op.create_index("ix_event_outbox_key", "event_outbox", ["key", "id"], unique=False, schema="patient_service")
    op.create_index("ix_event_outbox_sent_at", "event_outbox", ["sent_at"], unique=False, schema="patient_service")
    op.create_index(
        "ix_event_outbox_waiting",
        "event_outbox",
        ["id"],
        unique=False,
        schema="patient_service",
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.create_table(
        "field_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("old_value", sa.Text(), nullable=True),
        sa.Column("new_value", sa.Text(), nullable=True),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_field_changes")),
        schema="patient_service",
    )
    op.create_index(
        op.f("ix_field_changes_changed_by"), "field_changes", ["changed_by"], unique=False, schema="patient_service"
    )
    op.create_index(
        op.f("ix_field_changes_entity_id_id"),
        "field_changes",
        ["entity_id", "id"],
        unique=False,
        schema="patient_service",
    )
    op.create_table(
        "import_passes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("ignored", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("next_pass_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("trigger IN ('schedule', 'operator', 'command')", name=op.f("ck_import_passes_trigger")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_passes")),
        schema="patient_service",
    )
    op.create_index(
        op.f("ix_import_passes_started_at"), "import_passes", ["started_at"], unique=False, schema="patient_service"
    )
    op.create_table(
        "import_tracking",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=True),
        sa.Column("file_name", sa.Text(), nullable=True),
        sa.Column("file_version", sa.Text(), nullable=True),
        sa.Column("file_size", sa.BigInteger(), nullable=True),
        sa.Column("file_hash", sa.String(length=64), nullable=True),
        sa.Column("local_path", sa.Text(), nullable=True),
        sa.Column("zip", sa.String(length=5), nullable=True),
        sa.Column("scrape_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mapping_version", sa.Integer(), nullable=True),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("round_attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("discard_reason", sa.Text(), nullable=True),
        sa.Column("delete_source", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("source_deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("new_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("updated_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unchanged_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("deleted_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reactivated_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("skipped_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("held_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failed_count", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "status IN ('pending', 'retrying', 'success', 'partial', 'failed', 'skipped', 'discarded')",
            name=op.f("ck_import_tracking_status"),
        ),
        sa.CheckConstraint(
            "patient_count = new_count + updated_count + unchanged_count + deleted_count + reactivated_count + skipped_count + held_count + failed_count",
            name=op.f("ck_import_tracking_books_balance"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_tracking")),
        sa.UniqueConstraint("source_key", name=op.f("uq_import_tracking_source_key")),
        schema="patient_service",
    )
    op.create_index(
        "ix_import_tracking_delete_pending",
        "import_tracking",
        ["id"],
        unique=False,
        schema="patient_service",
        postgresql_where=sa.text("source_deleted_at IS NULL"),
    )
    op.create_index(
        op.f("ix_import_tracking_file_hash"), "import_tracking", ["file_hash"], unique=False, schema="patient_service"
    )
    op.create_index(
        op.f("ix_import_tracking_processed_at"),
        "import_tracking",
        ["processed_at"],
        unique=False,
        schema="patient_service",
    )
    op.create_index(
        op.f("ix_import_tracking_status_next_attempt_at"),
        "import_tracking",
        ["status", "next_attempt_at"],
        unique=False,
        schema="patient_service",
    )
    op.create_index(
        op.f("ix_import_tracking_zip_scrape_date"),
        "import_tracking",
        ["zip", "scrape_date"],
        unique=False,
        schema="patient_service",
    )
    op.create_table(
        "patienten",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("anrede", postgresql.ENUM("Herr", "Frau", name="anrede", schema="patient_service"), nullable=False),
        sa.Column(
            "geschlecht",
            postgresql.ENUM(
                "männlich", "weiblich", "divers", "keine_Angabe", name="geschlecht", schema="patient_service"
            ),
            nullable=False,
        ),
        sa.Column("vorname", sa.String(length=100), nullable=False),
        sa.Column("nachname", sa.String(length=100), nullable=False),
        sa.Column("strasse", sa.String(length=255), nullable=True),
        sa.Column("plz", sa.String(length=10), nullable=True),
        sa.Column("ort", sa.String(length=100), nullable=True),
        sa.Column("email", sa.String(length=255), nullable=True),
        sa.Column("telefon", sa.String(length=50), nullable=True),
        sa.Column("hausarzt", sa.String(length=255), nullable=True),
        sa.Column("krankenkasse", sa.String(length=100), nullable=True),
        sa.Column("krankenversicherungsnummer", sa.String(length=50), nullable=True),
        sa.Column("geburtsdatum", sa.Date(), nullable=True),
        sa.Column("diagnose", sa.String(length=50), nullable=True),
        sa.Column("symptome", sa.Text(), nullable=True),
        sa.Column("erfahrung_mit_psychotherapie", sa.Boolean(), nullable=True),
        sa.Column("letzte_sitzung_vorherige_psychotherapie", sa.Date(), nullable=True),
        sa.Column("vertraege_unterschrieben", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("psychotherapeutische_sprechstunde", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("startdatum", sa.Date(), nullable=True),
        sa.Column("erster_therapieplatz_am", sa.Date(), nullable=True),
        sa.Column("funktionierender_therapieplatz_am", sa.Date(), nullable=True),
        sa.Column(
            "status",
            postgresql.ENUM(
                "offen",
                "auf_der_Suche",
                "in_Therapie",
                "Therapie_abgeschlossen",
                "Suche_abgebrochen",
                "Therapie_abgebrochen",
                name="patientenstatus",
                schema="patient_service",
            ),
            server_default="offen",
            nullable=False,
        ),
        sa.Column("empfehler_der_unterstuetzung", sa.Text(), nullable=True),
        sa.Column(
            "zeitliche_verfuegbarkeit", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "raeumliche_verfuegbarkeit", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("verkehrsmittel", sa.String(length=50), nullable=True),
        sa.Column("offen_fuer_gruppentherapie", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("offen_fuer_diga", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("letzter_kontakt", sa.Date(), nullable=True),
        sa.Column(
            "ausgeschlossene_therapeuten", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False
        ),
        sa.Column(
            "bevorzugtes_therapeutengeschlecht",
            postgresql.ENUM(
                "Männlich", "Weiblich", "Egal", name="therapeutgeschlechtspraeferenz", schema="patient_service"
            ),
            server_default="Egal",
            nullable=False,
        ),
        sa.Column(
            "bevorzugtes_therapieverfahren",
            postgresql.ENUM(
                "egal",
                "Verhaltenstherapie",
                "tiefenpsychologisch_fundierte_Psychotherapie",
                name="therapieverfahren",
                schema="patient_service",
            ),
            server_default="egal",
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=True),
        sa.Column("search_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patienten")),
        schema="patient_service",
    )
    op.create_index(
        op.f("ix_patienten_created_at_id"), "patienten", ["created_at", "id"], unique=False, schema="patient_service"
    )
    op.create_index(
        op.f("ix_patienten_email_key_name_key"),
        "patienten",
        ["email_key", "name_key"],
        unique=False,
        schema="patient_service",
    )
    op.create_index(
        op.f("ix_patienten_name_key_geburtsdatum"),
        "patienten",
        ["name_key", "geburtsdatum"],
        unique=False,
        schema="patient_service",
    )
    op.create_index(
        op.f("ix_patienten_status_id"), "patienten", ["status", "id"], unique=False, schema="patient_service"
    )
    op.create_table(
        "worker_heartbeats",
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.CheckConstraint("state IN ('leading', 'standby', 'stopped')", name=op.f("ck_worker_heartbeats_state")),
        sa.CheckConstraint("worker IN ('import', 'relay', 'mailer')", name=op.f("ck_worker_heartbeats_worker")),
        sa.PrimaryKeyConstraint("worker", "process", name=op.f("pk_worker_heartbeats")),
        schema="patient_service",
    )
    op.create_table(
        "alert_outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("import_id", sa.BigInteger(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("send_attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('problem', 'reminder', 'resolved', 'digest')", name=op.f("ck_alert_outbox_kind")),
        sa.ForeignKeyConstraint(
            ["import_id"], ["patient_service.import_tracking.id"], name=op.f("fk_alert_outbox_import_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_outbox")),
        schema="patient_service",
    )
    op.create_index(
        "ix_alert_outbox_waiting",
        "alert_outbox",
        ["id"],
        unique=False,
        schema="patient_service",
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.create_index(
        "uq_alert_outbox_open_problem",
        "alert_outbox",
        ["fingerprint"],
        unique=True,
        schema="patient_service",
        postgresql_where=sa.text("kind = 'problem' AND resolved_at IS NULL"),
    )
    op.create_table(
        "import_findings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("record_index", sa.Integer(), nullable=True),
        sa.Column("pointer", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["patient_service.import_tracking.id"], name=op.f("fk_import_findings_import_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_findings")),
        schema="patient_service",
    )
    op.create_index(
        op.f("ix_import_findings_import_id"), "import_findings", ["import_id"], unique=False, schema="patient_service"
    )
    op.create_table(
        "import_outcomes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("record_index", sa.Integer(), nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('new', 'updated', 'unchanged', 'deleted', 'reactivated', 'skipped', 'held', 'failed')",
            name=op.f("ck_import_outcomes_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["patient_service.import_tracking.id"], name=op.f("fk_import_outcomes_import_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_outcomes")),
        schema="patient_service",
    )
    op.create_index(
        op.f("ix_import_outcomes_entity_id"), "import_outcomes", ["entity_id"], unique=False, schema="patient_service"
    )
    op.create_index(
        op.f("ix_import_outcomes_import_id_record_index"),
        "import_outcomes",
        ["import_id", "record_index"],
        unique=False,
        schema="patient_service",
    )
    op.create_table(
        "patient_consents",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("registration_token", sa.Text(), nullable=True),
        sa.Column("registration_timestamp", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ip_address", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("file_hash", sa.String(length=64), nullable=False),
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["patient_service.import_tracking.id"], name=op.f("fk_patient_consents_import_id")
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient_service.patienten.id"], name=op.f("fk_patient_consents_patient_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_consents")),
        schema="patient_service",
    )
    op.create_index(
        op.f("ix_patient_consents_file_hash"), "patient_consents", ["file_hash"], unique=False, schema="patient_service"
    )
    op.create_index(
        op.f("ix_patient_consents_import_id"), "patient_consents", ["import_id"], unique=False, schema="patient_service"
    )
    op.create_index(
        op.f("ix_patient_consents_patient_id"),
        "patient_consents",
        ["patient_id"],
        unique=False,
        schema="patient_service",
    )
    op.create_index(
        op.f("ix_patient_consents_registration_token"),
        "patient_consents",
        ["registration_token"],
        unique=False,
        schema="patient_service",
    )
    op.create_table(
        "reviews",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=True),
        sa.Column("other_id", sa.BigInteger(), nullable=True),
        sa.Column("import_id", sa.BigInteger(), nullable=True),
        sa.Column("record_index", sa.Integer(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("choice", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(state = 'resolved') = (decided_at IS NOT NULL)", name=op.f("ck_reviews_decided")),
        sa.CheckConstraint(
            "kind IN ('possible_duplicate', 'conflict', 'held_deletions')", name=op.f("ck_reviews_kind")
        ),
        sa.CheckConstraint("state IN ('open', 'resolved')", name=op.f("ck_reviews_state")),
        sa.ForeignKeyConstraint(
            ["import_id"], ["patient_service.import_tracking.id"], name=op.f("fk_reviews_import_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        schema="patient_service",
    )
    op.create_index(op.f("ix_reviews_entity_id"), "reviews", ["entity_id"], unique=False, schema="patient_service")
    op.create_index("ix_reviews_fingerprint", "reviews", ["fingerprint"], unique=False, schema="patient_service")
    op.create_index(op.f("ix_reviews_import_id"), "reviews", ["import_id"], unique=False, schema="patient_service")
    op.create_index(op.f("ix_reviews_state_id"), "reviews", ["state", "id"], unique=False, schema="patient_service")
    op.create_table(
        "tombstones",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("erasure_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["erasure_id"], ["patient_service.erasures.id"], name=op.f("fk_tombstones_erasure_id")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_tombstones")),
        schema="patient_service",
    )
    op.create_index(
        op.f("ix_tombstones_erasure_id"), "tombstones", ["erasure_id"], unique=False, schema="patient_service"
    )
    op.create_table(
        "operator_actions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("import_id", sa.BigInteger(), nullable=True),
        sa.Column("review_id", sa.BigInteger(), nullable=True),
        sa.Column("entity_id", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["patient_service.import_tracking.id"], name=op.f("fk_operator_actions_import_id")
        ),
        sa.ForeignKeyConstraint(
            ["review_id"], ["patient_service.reviews.id"], name=op.f("fk_operator_actions_review_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_actions")),
        schema="patient_service",
    )
    op.create_index(
        op.f("ix_operator_actions_entity_id"), "operator_actions", ["entity_id"], unique=False, schema="patient_service"
    )
    op.create_index(
        op.f("ix_operator_actions_import_id"), "operator_actions", ["import_id"], unique=False, schema="patient_service"
    )
    op.create_table(
        "event_outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("parked_code", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_outbox")),
        sa.UniqueConstraint("event_id", name=op.f("uq_event_outbox_event_id")),
        schema="therapist_service",
    )
    op.create_index("ix_event_outbox_key", "event_outbox", ["key", "id"], unique=False, schema="therapist_service")
    op.create_index("ix_event_outbox_sent_at", "event_outbox", ["sent_at"], unique=False, schema="therapist_service")
    op.create_index(
        "ix_event_outbox_waiting",
        "event_outbox",
        ["id"],
        unique=False,
        schema="therapist_service",
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.create_table(
        "field_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("old_value", sa.Text(), nullable=True),
        sa.Column("new_value", sa.Text(), nullable=True),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_field_changes")),
        schema="therapist_service",
    )
    op.create_index(
        op.f("ix_field_changes_changed_by"), "field_changes", ["changed_by"], unique=False, schema="therapist_service"
    )
    op.create_index(
        op.f("ix_field_changes_entity_id_id"),
        "field_changes",
        ["entity_id", "id"],
        unique=False,
        schema="therapist_service",
    )
    op.create_table(
        "import_passes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("ignored", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("next_pass_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("trigger IN ('schedule', 'operator', 'command')", name=op.f("ck_import_passes_trigger")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_passes")),
        schema="therapist_service",
    )
    op.create_index(
        op.f("ix_import_passes_started_at"), "import_passes", ["started_at"], unique=False, schema="therapist_service"
    )
    op.create_table(
        "import_tracking",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=True),
        sa.Column("file_name", sa.Text(), nullable=True),
        sa.Column("file_version", sa.Text(), nullable=True),
        sa.Column("file_size", sa.BigInteger(), nullable=True),
        sa.Column("file_hash", sa.String(length=64), nullable=True),
        sa.Column("local_path", sa.Text(), nullable=True),
        sa.Column("zip", sa.String(length=5), nullable=True),
        sa.Column("scrape_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mapping_version", sa.Integer(), nullable=True),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("round_attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("discard_reason", sa.Text(), nullable=True),
        sa.Column("delete_source", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("source_deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("therapist_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("new_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("updated_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unchanged_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("deleted_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reactivated_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("skipped_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("held_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failed_count", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "status IN ('pending', 'retrying', 'success', 'partial', 'failed', 'skipped', 'discarded')",
            name=op.f("ck_import_tracking_status"),
        ),
        sa.CheckConstraint(
            "therapist_count = new_count + updated_count + unchanged_count + deleted_count + reactivated_count + skipped_count + held_count + failed_count",
            name=op.f("ck_import_tracking_books_balance"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_tracking")),
        sa.UniqueConstraint("source_key", name=op.f("uq_import_tracking_source_key")),
        schema="therapist_service",
    )
    op.create_index(
        "ix_import_tracking_delete_pending",
        "import_tracking",
        ["id"],
        unique=False,
        schema="therapist_service",
        postgresql_where=sa.text("source_deleted_at IS NULL"),
    )
    op.create_index(
        op.f("ix_import_tracking_file_hash"), "import_tracking", ["file_hash"], unique=False, schema="therapist_service"
    )
    op.create_index(
        op.f("ix_import_tracking_processed_at"),
        "import_tracking",
        ["processed_at"],
        unique=False,
        schema="therapist_service",
    )
    op.create_index(
        op.f("ix_import_tracking_status_next_attempt_at"),
        "import_tracking",
        ["status", "next_attempt_at"],
        unique=False,
        schema="therapist_service",
    )
    op.create_index(
        op.f("ix_import_tracking_zip_scrape_date"),
        "import_tracking",
        ["zip", "scrape_date"],
        unique=False,
        schema="therapist_service",
    )
    op.create_table(
        "therapeuten",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("anrede", postgresql.ENUM("Herr", "Frau", name="anrede", schema="therapist_service"), nullable=True),
        sa.Column(
            "geschlecht",
            postgresql.ENUM(
                "männlich", "weiblich", "divers", "keine_Angabe", name="geschlecht", schema="therapist_service"
            ),
            nullable=False,
        ),
        sa.Column("titel", sa.String(length=50), nullable=True),
        sa.Column("vorname", sa.String(length=100), nullable=True),
        sa.Column("nachname", sa.String(length=100), nullable=False),
        sa.Column("strasse", sa.String(length=255), nullable=True),
        sa.Column("plz", sa.String(length=10), nullable=True),
        sa.Column("ort", sa.String(length=100), nullable=True),
        sa.Column("telefon", sa.String(length=50), nullable=True),
        sa.Column("fax", sa.String(length=50), nullable=True),
        sa.Column("email", sa.String(length=255), nullable=True),
        sa.Column("webseite", sa.String(length=255), nullable=True),
        sa.Column("kassensitz", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "telefonische_erreichbarkeit", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("fremdsprachen", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column(
            "psychotherapieverfahren", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False
        ),
        sa.Column("zusatzqualifikationen", sa.Text(), nullable=True),
        sa.Column("besondere_leistungsangebote", sa.Text(), nullable=True),
        sa.Column("letzter_kontakt_email", sa.Date(), nullable=True),
        sa.Column("letzter_kontakt_telefon", sa.Date(), nullable=True),
        sa.Column("letztes_persoenliches_gespraech", sa.Date(), nullable=True),
        sa.Column("potenziell_verfuegbar", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("potenziell_verfuegbar_notizen", sa.Text(), nullable=True),
        sa.Column("ueber_curavani_informiert", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("naechster_kontakt_moeglich", sa.Date(), nullable=True),
        sa.Column("bevorzugte_diagnosen", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("alter_min", sa.Integer(), nullable=True),
        sa.Column("alter_max", sa.Integer(), nullable=True),
        sa.Column("geschlechtspraeferenz", sa.String(length=50), nullable=True),
        sa.Column("arbeitszeiten", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("bevorzugt_gruppentherapie", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "status",
            postgresql.ENUM("aktiv", "gesperrt", "inaktiv", name="therapeutstatus", schema="therapist_service"),
            server_default="aktiv",
            nullable=False,
        ),
        sa.Column("sperrgrund", sa.Text(), nullable=True),
        sa.Column("sperrdatum", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("source_area", sa.Text(), nullable=True),
        sa.Column("source_zip", sa.String(length=5), nullable=True),
        sa.Column("source_record", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("source_raw", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("source_hash", sa.String(length=64), nullable=True),
        sa.Column("source_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("source_removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("source_plz", sa.String(length=10), nullable=True),
        sa.Column("source_import_id", sa.BigInteger(), nullable=True),
        sa.Column("search_key", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "alter_min BETWEEN 0 AND 120 AND alter_max BETWEEN 0 AND 120", name=op.f("ck_therapeuten_alter")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_therapeuten")),
        schema="therapist_service",
    )
    op.create_index(
        op.f("ix_therapeuten_created_at_id"),
        "therapeuten",
        ["created_at", "id"],
        unique=False,
        schema="therapist_service",
    )
    op.create_index(op.f("ix_therapeuten_plz"), "therapeuten", ["plz"], unique=False, schema="therapist_service")
    op.create_index(
        op.f("ix_therapeuten_source_area_external_id"),
        "therapeuten",
        ["source_area", "external_id"],
        unique=False,
        schema="therapist_service",
    )
    op.create_index(
        op.f("ix_therapeuten_source_plz"), "therapeuten", ["source_plz"], unique=False, schema="therapist_service"
    )
    op.create_index(
        op.f("ix_therapeuten_source_zip"), "therapeuten", ["source_zip"], unique=False, schema="therapist_service"
    )
    op.create_index(
        op.f("ix_therapeuten_status_id"), "therapeuten", ["status", "id"], unique=False, schema="therapist_service"
    )
    op.create_table(
        "worker_heartbeats",
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.CheckConstraint("state IN ('leading', 'standby', 'stopped')", name=op.f("ck_worker_heartbeats_state")),
        sa.CheckConstraint("worker IN ('import', 'relay', 'mailer')", name=op.f("ck_worker_heartbeats_worker")),
        sa.PrimaryKeyConstraint("worker", "process", name=op.f("pk_worker_heartbeats")),
        schema="therapist_service",
    )
    op.create_table(
        "alert_outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("import_id", sa.BigInteger(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("send_attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('problem', 'reminder', 'resolved', 'digest')", name=op.f("ck_alert_outbox_kind")),
        sa.ForeignKeyConstraint(
            ["import_id"], ["therapist_service.import_tracking.id"], name=op.f("fk_alert_outbox_import_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_outbox")),
        schema="therapist_service",
    )
    op.create_index(
        "ix_alert_outbox_waiting",
        "alert_outbox",
        ["id"],
        unique=False,
        schema="therapist_service",
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.create_index(
        "uq_alert_outbox_open_problem",
        "alert_outbox",
        ["fingerprint"],
        unique=True,
        schema="therapist_service",
        postgresql_where=sa.text("kind = 'problem' AND resolved_at IS NULL"),
    )
    op.create_table(
        "import_findings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("record_index", sa.Integer(), nullable=True),
        sa.Column("pointer", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["therapist_service.import_tracking.id"], name=op.f("fk_import_findings_import_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_findings")),
        schema="therapist_service",
    )
    op.create_index(
        op.f("ix_import_findings_import_id"), "import_findings", ["import_id"], unique=False, schema="therapist_service"
    )
    op.create_table(
        "import_outcomes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("record_index", sa.Integer(), nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('new', 'updated', 'unchanged', 'deleted', 'reactivated', 'skipped', 'held', 'failed')",
            name=op.f("ck_import_outcomes_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["therapist_service.import_tracking.id"], name=op.f("fk_import_outcomes_import_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_outcomes")),
        schema="therapist_service",
    )
    op.create_index(
        op.f("ix_import_outcomes_entity_id"), "import_outcomes", ["entity_id"], unique=False, schema="therapist_service"
    )
    op.create_index(
        op.f("ix_import_outcomes_import_id_record_index"),
        "import_outcomes",
        ["import_id", "record_index"],
        unique=False,
        schema="therapist_service",
    )
    op.create_table(
        "reviews",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=True),
        sa.Column("other_id", sa.BigInteger(), nullable=True),
        sa.Column("import_id", sa.BigInteger(), nullable=True),
        sa.Column("record_index", sa.Integer(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("choice", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(state = 'resolved') = (decided_at IS NOT NULL)", name=op.f("ck_reviews_decided")),
        sa.CheckConstraint(
            "kind IN ('possible_duplicate', 'conflict', 'held_deletions')", name=op.f("ck_reviews_kind")
        ),
        sa.CheckConstraint("state IN ('open', 'resolved')", name=op.f("ck_reviews_state")),
        sa.ForeignKeyConstraint(
            ["import_id"], ["therapist_service.import_tracking.id"], name=op.f("fk_reviews_import_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        schema="therapist_service",
    )
    op.create_index(op.f("ix_reviews_entity_id"), "reviews", ["entity_id"], unique=False, schema="therapist_service")
    op.create_index("ix_reviews_fingerprint", "reviews", ["fingerprint"], unique=False, schema="therapist_service")
    op.create_index(op.f("ix_reviews_import_id"), "reviews", ["import_id"], unique=False, schema="therapist_service")
    op.create_index(op.f("ix_reviews_state_id"), "reviews", ["state", "id"], unique=False, schema="therapist_service")
    op.create_table(
        "operator_actions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("import_id", sa.BigInteger(), nullable=True),
        sa.Column("review_id", sa.BigInteger(), nullable=True),
        sa.Column("entity_id", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["therapist_service.import_tracking.id"], name=op.f("fk_operator_actions_import_id")
        ),
        sa.ForeignKeyConstraint(
            ["review_id"], ["therapist_service.reviews.id"], name=op.f("fk_operator_actions_review_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_actions")),
        schema="therapist_service",
    )
    op.create_index(
        op.f("ix_operator_actions_entity_id"),
        "operator_actions",
        ["entity_id"],
        unique=False,
        schema="therapist_service",
    )
    op.create_index(
        op.f("ix_operator_actions_import_id"),
        "operator_actions",
        ["import_id"],
        unique=False,
        schema="therapist_service",
    )
    op.execute(CONSENTS_ARE_EVIDENCE)
    op.execute(CONSENTS_TRIGGER)
    op.execute(NEW_DIGEST_KEY)
