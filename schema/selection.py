"""Tells what a client asked for, where giving it costs a read."""

from strawberry.types.nodes import FragmentSpread, InlineFragment, Selection

from ostinato.schema.context import Info


def selects(info: Info, name: str) -> bool:
    """Tell whether the present field's selection has a field of that name, however nested in
    fragments. What `@skip` or `@include` might leave out counts as asked for."""
    return any(
        _has(selection, name) for field in info.selected_fields for selection in field.selections
    )


def _has(selection: Selection, name: str) -> bool:
    if isinstance(selection, InlineFragment | FragmentSpread):
        return any(_has(inner, name) for inner in selection.selections)
    return selection.name == name
