"""The OpenAPI schema, with async viewsets. Yours: inherit, and name your class in settings.py."""

from typing import Any

from adrf.routers import SimpleRouter
from drf_spectacular import openapi

SYNC_NAMES = {name: sync for sync, name in SimpleRouter.sync_to_async_action_map.items()}


class AutoSchema(openapi.AutoSchema):
    """Takes adrf's `alist`, `acreate`, … for what they are, until drf-spectacular does (its #1531)."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        view: Any = self.view
        name = getattr(view, "action", None)
        if name not in SYNC_NAMES:
            return super().get_operation(*args, **kwargs)
        view.action = SYNC_NAMES[name]
        try:
            return super().get_operation(*args, **kwargs)
        finally:
            view.action = name
