from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from exporter.config import schema
from exporter.config.reference import DIALECT, markdown
from exporter.config.schema import mapping, targets
from tests.docs.generate_configuration import DOCUMENT


def models() -> set[type[mapping.Shape]]:
    def found(annotation: Any) -> Iterator[type[mapping.Shape]]:
        if isinstance(annotation, type) and issubclass(annotation, mapping.Shape):
            yield annotation
            for field in annotation.model_fields.values():
                yield from found(field.annotation)
        for inner in get_args(annotation):
            yield from found(inner)

    return {*found(targets.Main), *found(targets.Included)}


def test_the_page_is_what_the_code_says():
    """On failure: `python -m tests.docs.generate_configuration`."""
    assert DOCUMENT.read_text("utf-8") == markdown()


@pytest.mark.parametrize("model", sorted(models(), key=str), ids=str)
def test_every_key_is_described_and_every_mapping_has_a_table(model: type[mapping.Shape]):
    assert all(field.description for field in model.model_fields.values())
    assert inspect.cleandoc(model.__doc__ or "") in markdown()


@pytest.mark.parametrize("model", sorted(models(), key=str), ids=str)
def test_a_key_that_works_is_not_reserved(model: type[mapping.Shape]):
    assert not model.LATER & {field.alias or name for name, field in model.model_fields.items()}


def test_the_schema_names_its_dialect_and_allows_no_unknown_key():
    found = schema()
    assert found["$schema"] == DIALECT
    assert all(
        each["additionalProperties"] is False for each in (found, *found["$defs"].values()) if each.get("properties")
    )
    assert found["$defs"]["Mailbox"]["properties"]["imap"]["anyOf"] == [
        {"$ref": "#/$defs/ImapServer"},
        {"enum": ["off", False]},
    ]
    assert {"ImapServer", "SmtpServer"} <= set(found["$defs"])
