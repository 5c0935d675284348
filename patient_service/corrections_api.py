"""HTTP: the content of a registration's file, and what a person puts right in it."""

from collections.abc import Mapping

from pydantic import Field, JsonValue, RootModel

from patient_service.imports.corrections import Corrections
from shared.core.errors import RejectedError
from shared.core.tokens import Role
from shared.fields.validation import Input
from shared.http.auth import actor
from shared.http.bodies import Document, Said
from shared.http.endpoints import Endpoints
from shared.http.imports_api import NUMBER, ImportOut, import_of
from shared.text.json_faults import fault_of, text_of
from shared.text.strict_json import parse_document


class DocumentOut(RootModel[dict[str, JsonValue]]):
    """The registration as it came. Of a file that is no strict JSON: `text`, and `error` with `code`, `line` and
    `column`, which count from 1.
    """


class CorrectIn(Input):
    """The registration as it should have come, with its evidence as it did come, and why."""

    document: Document = Field(description="A document of the form of a registration file.")
    reason: Said


def correcting_routes(corrections: Corrections) -> Endpoints:
    """The endpoints that show and correct."""
    routes = Endpoints("imports", number=NUMBER)

    @routes.add("GET", "/<int:import_id>/document", Role.READ, errors=(404, 410))
    def _document(import_id: int) -> DocumentOut:
        """The kept content of a file."""
        return DocumentOut.model_validate(document_of(corrections.content_of(import_id)))

    @routes.add("POST", "/<int:import_id>/correct", Role.WRITE, errors=(404, 409, 410))
    def _correct(import_id: int, body: CorrectIn) -> ImportOut:
        """Imports a failed registration as corrected; its copy stays as it came."""
        corrections.correct(import_id, body.document, body.reason, actor())
        return import_of(import_id)

    return routes


def document_of(content: bytes) -> Mapping[str, object]:
    """The parsed document; of one that cannot be parsed its text, with what is wrong and where."""
    try:
        return parse_document(content)
    except RejectedError as error:
        place = fault_of(content)
        fault = {"code": error.code, "line": place.line, "column": place.column}
        return {"text": text_of(content), "error": fault}
