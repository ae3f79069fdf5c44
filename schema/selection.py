"""Inspects which fields a client selected."""

from strawberry.types.nodes import FragmentSpread, InlineFragment, Selection

from ostinato.schema.context import Info


def selects(info: Info, name: str) -> bool:
    """Return whether the current field's selection contains the field, also in fragments.

    Fields with `@skip` or `@include` count as selected.
    """
    return any(
        _has(selection, name) for field in info.selected_fields for selection in field.selections
    )


def _has(selection: Selection, name: str) -> bool:
    if isinstance(selection, InlineFragment | FragmentSpread):
        return any(_has(inner, name) for inner in selection.selections)
    return selection.name == name
