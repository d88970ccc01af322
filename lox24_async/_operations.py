"""What the chapters of the client share."""

from typing import TYPE_CHECKING, Any, Generic

from ._config import check_number
from ._engine import Engine
from ._requests import check_form
from .models import Bulk

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    FormT = TypeVar("FormT", bound=Bulk, default=Bulk)
    BulkT = TypeVar("BulkT", bound=Bulk)
else:
    from typing import TypeVar

    FormT = TypeVar("FormT", bound=Bulk)
    BulkT = TypeVar("BulkT", bound=Bulk)


class Operations(Generic[FormT]):
    """A chapter of operations; the client puts these attributes in place."""

    _engine: Engine
    _form: type[Any]
    _width: int

    def _check(self, form: type[Any] | None, timeout: float | None) -> type[Any]:
        """Check what every call takes; return the form that is wanted."""
        if timeout is not None:
            check_number("timeout", timeout, least=-1e9)
        if form is None:
            return self._form
        check_form(form)
        return form
