"""Sample registrations and scrapes: the same seed the same bytes, and everything is what it claims to be."""

import json
from collections import Counter
from datetime import date, datetime

import pytest

from curavani.demo.samples import registrations, scrapes
from patient_service.imports.registration import Upload, parse_registration
from shared.core.clock import now
from shared.core.errors import RejectedError
from shared.text.strict_json import parse_document
from shared.words.codes import describe
from therapist_service.imports.envelope import Dating, count_findings, plausibility, read_envelope
from therapist_service.imports.identity import Listed, assign
from therapist_service.imports.mapping import for_adults, map_record
from therapist_service.imports.traits import traits_of

DAY = date(2025, 7, 2)
FILE_TIME = datetime.fromisoformat("2025-07-02T04:00:00+00:00")
# Codes that depend on what was imported before, or on the size of an object, which the parser never sees.
OUT_OF_SIGHT = {"updated", "possible_duplicate", "file_too_large"}
REGISTRATIONS = registrations.generate_registrations(7, 60)
SCRAPES = scrapes.generate_scrapes(7, 450, DAY)
BROKEN = scrapes.broken_scrapes(7, DAY)
NEEDS_HISTORY = {"success", "implausible_count", "superseded", "duplicate_content", "held_deletions"}


def registration_outcome(sample):
    try:
        parsed = parse_registration(sample.content, sample.object_name, Upload(now()))
    except RejectedError as error:
        return error.code, []
    return "success", [finding.code for finding in parsed.findings]


def read_scrape(scrape):
    """Code of the file, mapped records, and the codes of findings on file and records."""
    path = scrape.path
    try:
        document = parse_document(scrape.content)
        envelope, remarks = read_envelope(document.get("metadata"), path[-10:-5], Dating(None, FILE_TIME, FILE_TIME))
    except RejectedError as error:
        return error.code, [], []
    if not isinstance(document.get("therapists"), list):
        return "missing_section", [], []
    mapped, failed = [], 0
    for index, record in enumerate(document["therapists"]):
        try:
            mapped.append(map_record(record, index))
        except RejectedError:
            failed += 1
    counted = Counter(f"{record.claim}_therapists" for record in mapped) | {"total_therapists": len(mapped) + failed}
    listed = [Listed(envelope.area, record.external_id, traits_of(record.fields)) for record in mapped]
    codes = [finding.code for finding in remarks] + [code.code for record in mapped for code in record.findings]
    codes += [match.rule for match in assign(listed, [[] for _ in listed])]
    if not failed:
        codes += [finding.code for finding in count_findings(envelope, counted)]
    return plausibility(len(mapped), failed, []) or ("partial" if failed else "success"), mapped, codes


def records_of(scrape):
    return json.loads(scrape.content)["therapists"]


@pytest.mark.parametrize(
    "generate",
    [
        lambda seed: registrations.generate_registrations(seed, 20),
        lambda seed: scrapes.generate_scrapes(seed, 120, DAY),
        lambda seed: scrapes.next_week(SCRAPES, seed, changed=0.3),
        lambda seed: scrapes.broken_scrapes(seed, DAY),
    ],
)
def test_a_seed_decides_every_byte(generate):
    assert generate(3) == generate(3)
    assert generate(3) != generate(4)


def test_registrations_cover_every_peculiarity():
    assert {sample.expected for sample in REGISTRATIONS} == registrations.EXPECTATIONS


@pytest.mark.parametrize("sample", REGISTRATIONS, ids=lambda sample: sample.object_name)
def test_registrations_are_read_as_expected(sample):
    code, findings = registration_outcome(sample)
    if sample.expected in OUT_OF_SIGHT | {"success"}:
        assert (code, findings) == ("success", [])
    elif describe(sample.expected).severity == "error":
        assert code == sample.expected
    else:
        assert (code, findings) == ("success", [sample.expected])


def test_an_ordinary_sample_has_no_peculiarities():
    assert {sample.expected for sample in registrations.generate_registrations(7, 5, broken=False)} == {"success"}
    with pytest.raises(ValueError, match="ordinary"):
        registrations.generate_registrations(7, 0)


def test_specification_examples_are_read():
    sample = registrations.specification_example()
    assert sample.object_name == "Mustermann_Max_20250705_0b1ab67b.json"
    assert registration_outcome(sample) == ("success", [])
    scrape = scrapes.specification_example()
    code, (therapist,), findings = read_scrape(scrape)
    assert (scrape.path, code, findings) == ("20250702/52066.json", "success", ["none"])
    assert therapist.external_id == "praxis67"
    assert therapist.fields["nachname"] == "Zeevaert"
    assert json.loads(scrape.content)["metadata"]["scrape_date"] == "2025-07-02T03:13:24.425211"


def test_scrapes_hold_the_therapists_asked_for():
    assert [len(records_of(scrape)) for scrape in SCRAPES] == [100, 100, 100, 100, 50]
    assert [scrape.path for scrape in SCRAPES[:2]] == ["20250702/52062.json", "20250702/52063.json"]
    assert all(scrape.outcomes == {"new": len(records_of(scrape))} for scrape in SCRAPES)
    with pytest.raises(ValueError, match="files"):
        scrapes.generate_scrapes(7, 10_000, DAY, per_file=1)


def test_scrapes_are_valid_and_of_different_people():
    for scrape in SCRAPES:
        code, mapped, codes = read_scrape(scrape)
        assert code == "success"
        assert len(mapped) == len(records_of(scrape))
        assert set(codes) <= {"none", "missing_salutation", "name_repaired"}
    ids = [record["id"] for scrape in SCRAPES for record in records_of(scrape)]
    assert sorted(ids) == sorted(f"praxis{number}" for number in range(1, 451))


def test_scrapes_are_as_varied_as_the_source():
    mapped = [record for scrape in SCRAPES for record in read_scrape(scrape)[1]]
    emails = sum(record.fields["email"] is not None for record in mapped)
    assert 0.3 < emails / len(mapped) < 0.5
    assert any(record.fields["anrede"] is None for record in mapped)
    assert any(record.fields["vorname"] is None for record in mapped)
    assert any("-" in record.fields["nachname"] for record in mapped)
    assert any(not for_adults(record) for record in mapped)
    assert any(len(record.fields["psychotherapieverfahren"]) > 1 for record in mapped)
    assert any("Systemische_Therapie" in record.fields["psychotherapieverfahren"] for record in mapped)


def test_a_week_later_the_claims_are_true():
    before = {record["id"]: record for scrape in SCRAPES for record in records_of(scrape)}
    later = scrapes.next_week(SCRAPES, 8, changed=0.4)
    assert [scrape.path[:8] for scrape in later] == ["20250709"] * len(SCRAPES)
    kinds: Counter[str] = Counter()
    for scrape in later:
        assert read_scrape(scrape)[0] == "success"
        kinds.update(scrape.outcomes)
        for record in records_of(scrape):
            earlier = before.get(record["id"])
            assert (earlier is None) == (record["status"] == "new")
            if earlier is not None:
                same = {**earlier, "status": 0, "last_modified": 0} == {**record, "status": 0, "last_modified": 0}
                assert same == (record["status"] != "modified")
    assert set(kinds) == {"new", "updated", "unchanged", "deleted"}
    assert 0.5 < kinds["unchanged"] / len(before) < 0.75


def test_who_is_marked_as_deleted_is_absent_afterwards():
    second = scrapes.next_week(SCRAPES, 8, changed=0.4)
    third = scrapes.next_week(second, 8, changed=0, day=date(2025, 7, 20))
    gone = {record["id"] for scrape in second for record in records_of(scrape) if record["status"] == "deleted"}
    listed = {record["id"] for scrape in third for record in records_of(scrape)}
    assert gone
    assert not gone & listed
    assert {scrape.path[:8] for scrape in third} == {"20250720"}


def test_broken_scrapes_cover_every_peculiarity():
    assert {scrape.expected for scrape in BROKEN} == scrapes.EXPECTATIONS
    assert not {scrape.path[-10:] for scrape in BROKEN} & {scrape.path[-10:] for scrape in SCRAPES}


@pytest.mark.parametrize("scrape", BROKEN, ids=lambda scrape: f"{scrape.expected}-{scrape.path}")
def test_broken_scrapes_are_read_as_expected(scrape):
    code, _, codes = read_scrape(scrape)
    if scrape.expected in NEEDS_HISTORY:
        assert code == "success"
    elif code == "success":
        assert scrape.expected in codes
    else:
        assert code == scrape.expected
