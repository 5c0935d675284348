"""What a file says, found out without a database."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from shared.core.clock import now
from shared.core.errors import CuravaniError, Finding, RejectedError
from shared.core.settings import PatientImportSettings, TherapistImportSettings, read_settings
from shared.words.codes import Code

if TYPE_CHECKING:
    from therapist_service.imports.scrape import Scrape

_MAX_REGISTRATION = int(PatientImportSettings.model_fields["max_file_bytes"].default)
_MAX_SCRAPE = int(TherapistImportSettings.model_fields["max_file_bytes"].default)


def findings_of(path: Path) -> list[Finding] | None:
    """The findings, None if the file cannot be read. A file named like a postal code is read as a scrape.

    Raises `SettingsError`.
    """
    key = read_settings(os.environ, PatientImportSettings)[PatientImportSettings].signature_secret
    try:
        # No registration's name is a number alone, and the patient service's image has nothing to read a scrape with.
        scrape = scrape_in(path) if path.stem.isdecimal() else None
        return _of_registration(path, key) if scrape is None else _of_scrape(scrape)
    except RejectedError as error:
        return list(error.findings) or [Finding("", error.code)]
    except (CuravaniError, OSError):
        return None


def scrape_in(path: Path) -> "Scrape | None":
    """The scrape in the file; None if its name is none of a scrape.

    Raises `RejectedError`, or `FileUnreadable`, `FileChanging` or `OSError` where it cannot be read.
    """
    from therapist_service.imports.scrape import read_scrape  # noqa: PLC0415 - not in the other image
    from therapist_service.imports.scrape_files import ScrapeFolder, single_file  # noqa: PLC0415 - likewise

    file = single_file(path)
    return None if file is None else read_scrape(ScrapeFolder(path.parent), file, _MAX_SCRAPE)


def _of_registration(path: Path, signature_key: bytes | None) -> list[Finding]:
    from patient_service.imports.registration import Upload, parse_registration  # noqa: PLC0415 - not in the other image

    if path.stat().st_size > _MAX_REGISTRATION:
        raise RejectedError(Code.FILE_TOO_LARGE)
    return list(parse_registration(path.read_bytes(), path.name, Upload(now()), signature_key).findings)


def _of_scrape(scrape: "Scrape") -> list[Finding]:
    from therapist_service.imports.envelope import plausibility  # noqa: PLC0415 - not in the other image

    found = [*scrape.findings, *scrape.total_findings()]
    for chunk in scrape.chunks():
        for record in chunk:
            found += record.findings
    implausible = plausibility(scrape.valid, scrape.invalid, usual_counts=())
    return [*found, Finding("/therapists", implausible)] if implausible else found
